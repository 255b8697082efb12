internal import RegularExpressions
internal import StrictJSON

/// How a configuration names modules.
enum ModuleNames: Equatable {
    /// A regular expression for the whole name.
    case expression(String)
    /// Names, or ends of names after a dot.
    case list([String])

    /// True when nothing can match.
    var isEmpty: Bool {
        switch self {
        case .expression(let text): text.isEmpty
        case .list(let names): names.isEmpty
        }
    }
}

/// `ModuleNames`, compiled.
struct ModuleMatcher {
    private let expression: ModuleExpression?
    private let names: Set<String>

    init(
        _ names: ModuleNames, setting: String, in configuration: AdapterConfiguration
    ) throws(AdapterError) {
        switch names {
        case .expression(let text):
            expression = try ModuleExpression(
                text, extent: .whole, budget: configuration.expressionSteps, setting: setting,
                file: configuration.file)
            self.names = []
        case .list(let list):
            expression = nil
            self.names = Set(list)
        }
    }

    /// - Throws: `AdapterError.invalidPattern` where the match takes too many steps.
    func contains(_ module: String) throws(AdapterError) -> Bool {
        if let expression { return try expression.matches(module) }
        return Self.names(names, module)
    }

    /// True when one of the names is the module's name or its end after a dot.
    static func names(_ names: Set<String>, _ module: String) -> Bool {
        var ending = Substring(module)
        while !names.contains(String(ending)) {
            guard let dot = ending.utf8.firstIndex(of: UInt8(ascii: ".")) else { return false }
            ending = ending[ending.utf8.index(after: dot)...]
        }
        return true
    }

    /// True when `name` is the module's name or its end after a dot.
    static func names(_ name: String, _ module: String) -> Bool {
        guard module.utf8.count > name.utf8.count else { return module == name }
        let ending = module.utf8.suffix(name.utf8.count + 1)
        return ending.first == UInt8(ascii: ".") && ending.dropFirst().elementsEqual(name.utf8)
    }
}

/// Which modules a configuration targets: `target_modules`, `exclude_modules`,
/// `layers_to_transform`, `layers_pattern` and `modules_to_save` together.
///
/// **Source**: PEFT 0.21, `check_target_module_exists`.
struct TargetModules {
    /// What PEFT writes for no module at all, where biases or saved modules are everything.
    ///
    /// **Source**: PEFT 0.21, `DUMMY_TARGET_MODULES`.
    static let nothing = "dummy-target-modules"

    private enum Targets {
        case matcher(ModuleMatcher)
        /// Every linear layer but the head.
        case allLinear
        case nothing
    }

    private let targets: Targets
    private let excluded: ModuleMatcher?
    private let saved: [ModuleExpression]
    private let layers: Set<Int>?
    private let layerPatterns: [ModuleExpression]
    /// Names of weights, or ends of them after a dot, whose modules are targeted as well.
    let parameters: Set<String>
    let value: ModuleNames
    /// Of `value`, where that is a list.
    private let names: Set<String>

    /// Of a method that targets no module.
    init() {
        targets = .nothing
        excluded = nil
        saved = []
        layers = nil
        layerPatterns = []
        parameters = []
        value = .list([])
        self.names = []
    }

    /// - Throws: `AdapterError`: settings of another type, combinations that PEFT refuses, patterns
    ///   that can't be compiled.
    init(
        _ configuration: inout AdapterConfiguration, standard: [String]? = nil
    ) throws(AdapterError) {
        let file = configuration.file
        parameters = Set(try configuration.texts("target_parameters") ?? [])
        let standard = parameters.isEmpty ? standard : []
        let named = try configuration.names("target_modules")
        guard let names = named ?? standard.map(ModuleNames.list) else {
            throw .missingSetting("target_modules", file: file)
        }
        value = names
        if case .list(let list) = names { self.names = Set(list) } else { self.names = [] }
        targets =
            switch names {
            case .expression(let text) where text.lowercased() == "all-linear": .allLinear
            case .expression(Self.nothing): .nothing
            default:
                .matcher(try ModuleMatcher(names, setting: "target_modules", in: configuration))
            }
        let exclusions = try configuration.names("exclude_modules")
        if let exclusions, !exclusions.isEmpty {
            excluded = try ModuleMatcher(exclusions, setting: "exclude_modules", in: configuration)
        } else {
            excluded = nil
        }
        var saved: [ModuleExpression] = []
        let savedNames = try configuration.texts("modules_to_save") ?? []
        try configuration.checkCount(
            savedNames.count, name: "modules_to_save", limit: AdapterLimits.patternNameCount)
        for name in savedNames {
            saved.append(
                try ModuleExpression(
                    "(^|.*\\.)\(name)($|\\..*)", extent: .start,
                    budget: configuration.expressionSteps, setting: "modules_to_save",
                    shown: name, file: file))
        }
        self.saved = saved
        let layers = try configuration.indices("layers_to_transform")
        self.layers = layers?.isEmpty == true ? nil : layers
        let patterns = try Self.layerPatternNames(&configuration)
        layerPatterns = try Self.layerPatterns(patterns, in: configuration)
        if layers == nil, !patterns.isEmpty, !Self.passesOverPatterns(configuration) {
            throw .invalidSetting(
                "layers_pattern", value: ModuleNames.list(patterns).text,
                expected: "none where 'layers_to_transform' doesn't say which layers are meant",
                file: file)
        }
        if case .expression = names, layers != nil {
            throw .invalidSetting(
                "layers_to_transform", value: "set",
                expected: "none where 'target_modules' is a "
                    + "regular expression", file: file)
        }
    }

    /// Methods whose configurations don't check that `layers_pattern` has layers to go with it.
    private static func passesOverPatterns(_ configuration: AdapterConfiguration) -> Bool {
        let methods = ["ADAMSS", "C3A", "GRALORA", "HIRA", "MISS", "RANDLORA", "UNILORA"]
        return configuration.object["peft_type"]?.stringValue.map(methods.contains) ?? false
    }

    private static func layerPatternNames(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> [String] {
        switch try configuration.names("layers_pattern") {
        case nil: []
        case .expression(let text): text.isEmpty ? [] : [text]
        case .list(let list): list
        }
    }

    private static func layerPatterns(
        _ names: [String], in configuration: AdapterConfiguration
    ) throws(AdapterError) -> [ModuleExpression] {
        try configuration.checkCount(
            names.count, name: "layers_pattern", limit: AdapterLimits.patternNameCount)
        let budget = configuration.expressionSteps
        guard !names.isEmpty else {
            return [
                try ModuleExpression(
                    #".*?\.[^.]*\.(\d+)\."#, extent: .start, budget: budget,
                    setting: "layers_to_transform", file: configuration.file)
            ]
        }
        var patterns: [ModuleExpression] = []
        for name in names {
            patterns.append(
                try ModuleExpression(
                    "(?:^|.*?\\.)\(name)\\.(\\d+)\\.", extent: .start, budget: budget,
                    setting: "layers_pattern", shown: name, file: configuration.file))
        }
        return patterns
    }

    /// True where the configuration says that no module is meant.
    var meanNothing: Bool {
        if case .nothing = targets { true } else { false }
    }

    /// - Parameter isLinearBelowHead: what `all-linear` stands for.
    /// - Throws: `AdapterError.invalidPattern` where a match takes too many steps.
    func contains(_ module: String, isLinearBelowHead: Bool) throws(AdapterError) -> Bool {
        if namesWeight(of: module) { return true }
        if let excluded, try excluded.contains(module) { return false }
        for pattern in saved where try pattern.matches(module) { return false }
        switch targets {
        case .allLinear: return isLinearBelowHead
        case .nothing: return false
        case .matcher(let matcher):
            // A module by its whole name is targeted whatever its layer.
            if self.names.contains(module) { return true }
            guard try matcher.contains(module) else { return false }
            return try isInChosenLayer(module)
        }
    }

    /// True where the module is targeted by the name of its weight.
    func namesWeight(of module: String) -> Bool {
        ModuleMatcher.names(parameters, module + ".weight")
    }

    private func isInChosenLayer(_ module: String) throws(AdapterError) -> Bool {
        guard let layers else { return true }
        for pattern in layerPatterns {
            if let index = try pattern.lastGroup(module) {
                return Int(index).map(layers.contains) ?? false
            }
        }
        return false
    }
}

/// Values by module: `rank_pattern`, `alpha_pattern`. The first pattern that matches decides.
///
/// **Source**: PEFT 0.21, `get_pattern_key`.
struct ModuleValues<Value> {
    private var entries: [(pattern: ModuleExpression, value: Value)] = []
    /// Modules are asked for several times.
    private let found = FoundValues<Value>()
    private let standard: Value
    private let budget: StepBudget

    /// - Parameter budget: the adapter's.
    init(standard: Value, budget: StepBudget = StepBudget(ModuleExpression.stepLimit)) {
        self.standard = standard
        self.budget = budget
    }

    mutating func append(
        _ key: String, _ value: Value, setting: String, file: String
    ) throws(AdapterError) {
        let pattern = try ModuleExpression(
            "(.*\\.)?(\(key))$", extent: .start, budget: budget, setting: setting, shown: key,
            file: file)
        entries.append((pattern, value))
    }

    /// The value of the first pattern that matches; the standard one where none does.
    func value(for module: String) throws(AdapterError) -> Value {
        guard !entries.isEmpty else { return standard }
        if let value = found.values[module] { return value }
        for entry in entries where try entry.pattern.matches(module) {
            found.values[module] = entry.value
            return entry.value
        }
        found.values[module] = standard
        return standard
    }
}

/// Values by module that patterns gave.
private final class FoundValues<Value> {
    var values: [String: Value] = [:]
}

/// The modules that `modules_to_save` names: a plain test of how the name ends, without regard to
/// dots, of the module or of one that contains it.
struct SavedModules {
    let names: [String]

    func contains(_ module: String) -> Bool {
        names.contains { Self.name($0, covers: module) }
    }

    func contains(anyOf modules: [String]) -> Bool { modules.contains(where: contains) }

    static func name(_ name: String, covers module: String) -> Bool {
        var path = Substring(module)
        while true {
            if path.hasSuffix(name) { return true }
            guard let dot = path.lastIndex(of: ".") else { return false }
            path = path[..<dot]
        }
    }
}
