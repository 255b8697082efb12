internal import Checkpoints
internal import Tokenization
public import Kernels
public import Transformer

/// Reads an adapter of any supported kind and compiles it to operators.
public enum AdapterReader {
    /// PEFT's spellings of the methods that can be read, sorted.
    public static var supportedMethods: [String] { Methods.supported }

    /// - Parameters:
    ///   - name: what the adapter is called in messages and listings.
    ///   - path: a PEFT directory or a `.lora` file, told apart by content.
    /// - Throws: `AdapterError`, which names file and tensor or setting. Every tensor and every
    ///   setting is used, or the adapter is refused.
    public static func read(
        name: String, path: String, slots: SlotTable, base: BaseModel,
        options: AdapterOptions = AdapterOptions(), pool: WorkerPool
    ) throws(AdapterError) -> LoadedAdapter {
        try read(
            name: name, path: path, base: base, options: options, pool: pool,
            shelf: TokenizerShelf(base: base.tokenizer))
    }

    /// - Parameters:
    ///   - shelf: where tokenizers are shared.
    ///   - layouts: nil: the adapter won't come back.
    static func read(
        name: String, path: String, base: BaseModel, options: AdapterOptions, pool: WorkerPool,
        shelf: TokenizerShelf, layouts: ProductLayouts? = nil
    ) throws(AdapterError) -> LoadedAdapter {
        let opened = try AdapterFile.open(path, options: options)
        let warnings = try opened.origin.warnings(on: base.configuration, strict: options.strict)
        let file = try opened.inRowOrder(of: base.configuration)
        let read = try Methods.reader(of: file.peftType, file: file.configuration.file)
        let compiled = try read(
            file, Methods.Context(base: base, options: options, pool: pool))
        let tokenizer = try shelf.tokenizer(of: file.tokenizerFiles)
        return LoadedAdapter(
            name: name, hash: file.contentHash, peftType: file.peftType,
            operators: compiled.operators.keepingUpdates(
                as: options.updateType.beside(base), pool: pool),
            tokenizer: tokenizer,
            parameterCount: compiled.parameterCount,
            warnings: warnings + compiled.warnings
                + tokenizerWarnings(
                    tokenizer, compiled.operators, base, directory: file.tokenizerFiles.directory),
            targets: compiled.targets,
            files: layouts.flatMap { KnownFiles(file, compiled, path: path, layouts: $0) })
    }

    /// Reads an adapter whose files are known, all but the values.
    ///
    /// - Returns: nil where it must be read as one that isn't known.
    static func read(
        _ order: LoadOrder, base: BaseModel, options: AdapterOptions, pool: WorkerPool,
        buffers: ReadBuffers, shelf: TokenizerShelf
    ) -> LoadedAdapter? {
        let facts = order.facts
        guard let files = facts.files,
            let content = files.content(
                of: order.origin.path, known: facts.hash, FileReader(root: options.root), buffers,
                shelf)
        else { return nil }
        // What a header alone said doesn't speak of the tokenizer.
        let further =
            facts.hash.isEmpty
            ? tokenizerWarnings(
                content.tokenizer, content.operators, base, directory: order.origin.path) : []
        return LoadedAdapter(
            name: order.name, hash: content.hash, peftType: facts.peftType,
            operators: content.operators.keepingUpdates(
                as: options.updateType.beside(base), pool: pool),
            tokenizer: content.tokenizer, parameterCount: facts.parameterCount,
            warnings: facts.warnings + further, targets: facts.targets,
            files: content.files, isFromKnownFiles: true)
    }

    /// A tokenizer may know tokens that the model has no rows for, often one for padding.
    private static func tokenizerWarnings(
        _ own: AdapterTokenizer?, _ operators: AdapterOperators, _ base: BaseModel,
        directory: String
    ) -> [String] {
        guard let own else { return [] }
        let warnings = own.tokenizer.warnings.map { "\(directory): \($0)" }
        let rowCount = operators.vocabulary?.tokenCount ?? base.slots.vocabularyCount
        let count = own.tokenizer.tokenCount
        guard count > rowCount else { return warnings }
        return warnings + [
            "\(directory): the adapter's tokenizer has \(count) tokens and the embedding "
                + "\(rowCount) rows: text with the further tokens is refused"
        ]
    }

    /// Checks an adapter by its header, where that tells all but its values: of plain factors, and
    /// where another adapter of the same recipe was checked.
    ///
    /// - Parameters:
    ///   - file: its header suffices.
    ///   - recipes: what was checked so far.
    ///   - layouts: shared by those that come back.
    /// - Returns: nil where `checkValues` has to read it.
    /// - Throws: `AdapterError`, as `read` would; of values alone only where they are read.
    static func check(
        _ file: AdapterFile, cost: LoadCost, path: String, base: BaseModel,
        options: AdapterOptions, pool: WorkerPool, recipes: CheckedRecipes, layouts: ProductLayouts
    ) throws(AdapterError) -> AdapterFacts? {
        let warnings = try file.origin.warnings(on: base.configuration, strict: options.strict)
        let recipe = file.recipe
        if var facts = recipes.facts(recipe, path: path, hash: file.contentHash) {
            facts.warnings = warnings + facts.warnings
            facts.files = facts.files?.belonging(to: file, path: path)
            return facts
        }
        guard Methods.headerSuffices(for: file) else { return nil }
        return try check(
            file, readsValues: false, recipe: recipe, cost: cost, path: path, base: base,
            options: options, pool: pool, recipes: recipes, layouts: layouts)
    }

    /// Checks an adapter whole, and drops its values.
    ///
    /// - Throws: `AdapterError`, as `read` would.
    static func checkValues(
        recipe: String, cost: LoadCost, path: String, base: BaseModel, options: AdapterOptions,
        pool: WorkerPool, recipes: CheckedRecipes, layouts: ProductLayouts
    ) throws(AdapterError) -> AdapterFacts {
        let file = try AdapterFile.open(path, options: options).inRowOrder(of: base.configuration)
        return try check(
            file, readsValues: true, recipe: recipe, cost: cost, path: path, base: base,
            options: options, pool: pool, recipes: recipes, layouts: layouts)
    }

    private static func check(
        _ file: AdapterFile, readsValues: Bool, recipe: String, cost: LoadCost, path: String,
        base: BaseModel, options: AdapterOptions, pool: WorkerPool, recipes: CheckedRecipes,
        layouts: ProductLayouts
    ) throws(AdapterError) -> AdapterFacts {
        let warnings = try file.origin.warnings(on: base.configuration, strict: options.strict)
        let read = try Methods.reader(of: file.peftType, file: file.configuration.file)
        let compiled = try read(
            file,
            Methods.Context(base: base, options: options, pool: pool, readsValues: readsValues))
        var facts = AdapterFacts(
            hash: file.contentHash, peftType: file.peftType,
            parameterCount: compiled.parameterCount,
            rank: compiled.checkedRank ?? compiled.operators.largestRank,
            warnings: compiled.warnings, targets: compiled.targets,
            layerCount: compiled.operators.repeatedBase?.slots.layerCount,
            files: KnownFiles(file, compiled, path: path, layouts: layouts),
            cost: readsValues
                ? cost.known(residentByteCount: compiled.operators.byteCount) : cost)
        if !compiled.warnsOfValues { recipes.remember(facts, recipe: recipe, path: path) }
        facts.warnings = warnings + facts.warnings
        return facts
    }
}
