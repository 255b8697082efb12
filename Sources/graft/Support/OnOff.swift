internal import ArgumentParser

/// A choice that is spelled out: `on` or `off`.
enum OnOff: String, ExpressibleByArgument, CaseIterable {
    case on, off
}
