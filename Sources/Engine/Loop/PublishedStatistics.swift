internal import Synchronization

/// The statistics as the engine's thread last wrote them.
package final class PublishedStatistics: Sendable {
    private let statistics: Mutex<EngineStatistics>

    package init(totalPageCount: Int) {
        var initial = EngineStatistics()
        initial.totalPageCount = totalPageCount
        statistics = Mutex(initial)
    }

    package var current: EngineStatistics {
        get { statistics.withLock { $0 } }
        set { statistics.withLock { $0 = newValue } }
    }
}
