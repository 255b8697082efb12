import Adapters
import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Transformer

/// Adapters on a tiny base, as PEFT, AdapterHub and others save them.
struct AdapterSeeds {
    let folders: [(name: String, files: [String: [UInt8]])]
    let base: BaseModel
    let pool = WorkerPool(threadCount: 1)
    /// Every key of every configuration.
    let keys: [String]

    init(checkout: String) throws {
        let checkout = Checkout(root: checkout)
        base = try BaseModel.open(path: checkout.root + "/models/tiny-llama", pool: pool)
        var folders: [(String, [String: [UInt8]])] = []
        var keys: Set<String> = []
        for root in ["methods", "adapterhub", "formats"].map({ "Tests/Goldens/" + $0 }) {
            for name in try Self.served(checkout.bytes(root + "/manifest.json")) {
                let folder = root + "/" + name
                let files = try FuzzInput(directory: checkout.root + "/" + folder).files.filter {
                    [".json", ".safetensors", ".bin"].contains(where: $0.key.hasSuffix)
                        && !$0.key.hasSuffix("expected.safetensors")
                }
                guard files.values.reduce(0, { $0 + $1.count }) < 1 << 18 else { continue }
                folders.append((folder, files))
                for (name, bytes) in files where name.hasSuffix(".json") {
                    keys.formUnion((try? JSONValue(parsing: bytes))?.allKeys ?? [])
                }
            }
        }
        self.folders = folders
        self.keys = keys.sorted()
    }

    /// Folders of a manifest's cases on this base that are served.
    private static func served(_ manifest: [UInt8]) throws -> [String] {
        let cases = try JSONValue(parsing: manifest).objectValue?["cases"]?.arrayValue ?? []
        let names = cases.compactMap(\.objectValue).filter {
            $0["base"]?.stringValue == "tiny-llama"
        }.flatMap { $0["adapters"]?.objectValue?.keys ?? [] }
        return Set(names).subtracting(["frod/drawn-again"]).sorted()
    }

    func read(_ path: String) throws {
        _ = try AdapterReader.read(
            name: "a", path: path, slots: base.slots, base: base, pool: pool)
    }
}

/// An adapter's weights: names, types, shapes, places.
struct SafetensorsTarget: FuzzTarget {
    static let name = "safetensors"
    private let seeds: AdapterSeeds
    private let mutations: JSONMutations

    init(checkout: String) throws {
        seeds = try AdapterSeeds(checkout: checkout)
        mutations = JSONMutations(keys: ["dtype", "shape", "data_offsets", "__metadata__"])
    }

    var seedCount: Int { seeds.folders.count }

    func seed(_ index: Int) -> FuzzInput { FuzzInput(seeds.folders[index].files) }

    func mutant(of index: Int, _ random: inout SplitMix) -> FuzzInput {
        var files = seed(index).files
        let names = files.keys.filter { $0.hasSuffix(".safetensors") }.sorted()
        guard !names.isEmpty else { return FuzzInput(files) }
        let name = names[random.below(names.count)]
        guard let bytes = files[name], let parts = SafetensorsParts(bytes) else {
            return FuzzInput(files)
        }
        files[name] = parts.mutant(mutations, &random)
        return FuzzInput(files)
    }

    func read(_ directory: String) throws { try seeds.read(directory) }
}

/// An adapter's configuration.
struct AdapterConfigurationTarget: FuzzTarget {
    static let name = "adapter-config"
    private let seeds: AdapterSeeds
    private let mutations: JSONMutations

    init(checkout: String) throws {
        seeds = try AdapterSeeds(checkout: checkout)
        mutations = JSONMutations(keys: seeds.keys)
    }

    var seedCount: Int { seeds.folders.count }

    func seed(_ index: Int) -> FuzzInput { FuzzInput(seeds.folders[index].files) }

    func mutant(of index: Int, _ random: inout SplitMix) -> FuzzInput {
        var files = seed(index).files
        let names = files.keys.filter { $0.hasSuffix(".json") }.sorted()
        guard !names.isEmpty else { return FuzzInput(files) }
        let name = names[random.below(names.count)]
        guard let bytes = files[name], let value = try? JSONValue(parsing: bytes) else {
            return FuzzInput(files)
        }
        files[name] = mutations.mutatedText(value, &random)
        return FuzzInput(files)
    }

    func read(_ directory: String) throws { try seeds.read(directory) }
}

/// Pickles of torch, which only the conversion reads.
struct PickleTarget: FuzzTarget {
    static let name = "pickle"
    private static let pickle = "pytorch_adapter.bin"
    private static let settings = "settings.json"
    private let seeds: [[String: [UInt8]]]

    init(checkout: String) throws {
        let checkout = Checkout(root: checkout)
        let hub = "Tests/Goldens/conversion/adapterhub/"
        seeds = [
            [
                Self.pickle: try checkout.bytes("Tests/Goldens/conversion/lora.pt"),
                Self.settings: Array(#"{"r":2,"lora_alpha":8}"#.utf8),
            ],
            [
                Self.pickle: try checkout.bytes("Tests/Goldens/conversion/merged.pt"),
                Self.settings: Array(
                    #"{"r":2,"lora_alpha":8,"enable_lora":[true,false,true]}"#.utf8),
            ],
            [
                Self.pickle: try checkout.bytes(hub + Self.pickle),
                "adapter_config.json": try checkout.bytes(hub + "adapter_config.json"),
            ],
        ]
    }

    var seedCount: Int { seeds.count }

    func seed(_ index: Int) -> FuzzInput { FuzzInput(seeds[index]) }

    func mutant(of index: Int, _ random: inout SplitMix) -> FuzzInput {
        var files = seeds[index]
        var bytes = files[Self.pickle] ?? []
        if !random.oneIn(5), var zip = StoredZip(bytes),
            let place = zip.members.firstIndex(where: {
                $0.name.suffix(8).elementsEqual("data.pkl".utf8)
            })
        {
            if random.oneIn(4) {
                zip.members[place].bytes = PickleMutations.program(&random)
            } else {
                PickleMutations.mutate(&zip.members[place].bytes, &random)
            }
            bytes = zip.joined()
        } else {
            ByteMutations.mutate(&bytes, &random)
        }
        files[Self.pickle] = bytes
        return FuzzInput(files)
    }

    func read(_ directory: String) throws {
        let settings = try? String(contentsOfFile: directory + "/" + Self.settings, encoding: .utf8)
        // A directory of AdapterHub's has its settings in a file of its own.
        let path = settings == nil ? directory : directory + "/" + Self.pickle
        _ = try AdapterConversion(from: path, settings: settings ?? "{}")
    }
}

/// LoRAs as llama.cpp's converter writes them.
struct GGUFAdapterTarget: FuzzTarget {
    static let name = "gguf-lora"
    private let seeds: [[UInt8]]
    private let base: AdapterSeeds

    init(checkout: String) throws {
        base = try AdapterSeeds(checkout: checkout)
        let checkout = Checkout(root: checkout)
        seeds = try [
            "Tests/Goldens/conversion/llama-cpp-f32.gguf",
            "Tests/Goldens/conversion/llama-cpp-q8_0.gguf",
        ].map { try checkout.bytes($0) }
    }

    var seedCount: Int { seeds.count }

    func seed(_ index: Int) -> FuzzInput { FuzzInput(["adapter.gguf": seeds[index]]) }

    func mutant(of index: Int, _ random: inout SplitMix) -> FuzzInput {
        var bytes = seeds[index]
        ByteMutations.mutate(&bytes, &random, head: 6144)
        return FuzzInput(["adapter.gguf": bytes])
    }

    func read(_ directory: String) throws { try base.read(directory + "/adapter.gguf") }
}
