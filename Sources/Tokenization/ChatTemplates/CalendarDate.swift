import Glibc

/// Dates as chat templates write them.
enum CalendarDate {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Today in the local time zone, as in “26 Jul 2024”.
    static func today() -> String {
        var now = time(nil)
        var parts = tm()
        localtime_r(&now, &parts)
        let day = parts.tm_mday < 10 ? "0\(parts.tm_mday)" : "\(parts.tm_mday)"
        return "\(day) \(months[Int(parts.tm_mon) % 12]) \(Int(parts.tm_year) + 1900)"
    }
}
