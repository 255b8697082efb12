internal import Transformer

extension AdapterError {
    var fileDescription: String? {
        switch self {
        case .notFound(let path):
            "\(path): no such file or directory: give a PEFT directory or a .lora file"
        case .notAnAdapter(let path, let found):
            "\(path): \(found), not an adapter: give a PEFT directory (adapter_config.json with "
                + "adapter_model.safetensors) or a .lora file"
        case .notRegularFile(let path, let found):
            "\(path): \(found), not a regular file: adapters are read from regular files only"
        case .outsideRoot(let path):
            "\(path): not inside the directory that adapters are loaded from: "
                + "move the adapter there"
        case .outsideMixture(let path, let mixture):
            "\(path): not inside the directory of the mixture that names it, \(mixture): copy the "
                + "expert there"
        case .unreadable(let path, let reason):
            "\(path): can't be read: \(reason)"
        case .tooLarge(let path, let byteCount, let limit):
            "\(path): has \(byteCount) bytes, the limit is \(limit)"
        case .changedWhileReading(let path):
            "\(path): changed while it was read: load it again when it is complete"
        case .pickle(let path):
            "\(path): pickle files can run code and are refused; convert it once "
                + "with: \(Self.ownConversion(path))\(Self.conversion(path))"
        case .damagedFile(let sentence):
            sentence
        default: nil
        }
    }

    /// The command of this program that makes a PEFT directory of one whose weights are a pickle,
    /// with what leads over to another; empty for other pickles.
    private static func ownConversion(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/"),
            AdapterFile.pickleNames.contains(String(path[path.index(after: slash)...]))
        else { return "" }
        var directory = path[..<slash]
        while directory.count > 1, directory.last == "/" { directory.removeLast() }
        let quote: (String) -> String = {
            "'" + $0.replacing("'", with: "'\\''") + "'"
        }
        return "graft convert --from \(quote(String(directory))) --to peft --out "
            + "\(quote(directory + "-safetensors")), or: "
    }

    /// A command that writes the tensors of a pickle as safetensors beside it.
    private static func conversion(_ path: String) -> String {
        let stem = path.split(separator: ".", omittingEmptySubsequences: false).dropLast()
            .joined(separator: ".")
        let quote: (String) -> String = {
            "'" + $0.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
        }
        return "python3 -c \"import torch, safetensors.torch as s; "
            + "s.save_file({k: v.contiguous() for k, v in "
            + "torch.load(\(quote(path)), map_location='cpu', weights_only=True).items()}, "
            + "\(quote(stem + ".safetensors")))\""
    }

    var configurationDescription: String? {
        switch self {
        case .configuration(let file, let reason):
            "\(file): \(reason)"
        case .missingSetting(let name, let file):
            "\(file): '\(name)' is missing: this is not a complete PEFT configuration"
        case .invalidSetting(let name, let value, let expected, let file):
            "\(file): '\(name)' is \(value), expected \(expected)"
        case .unsupportedSetting(let name, let value, let reason, let file):
            "\(file): not supported: '\(name)' is \(value): \(reason)"
        case .unknownSetting(let name, let value, let file):
            "\(file): unknown setting '\(name)' is \(value): with --strict-adapters every setting "
                + "must be known; remove it if it has no meaning in inference"
        case .unknownMethod(let found, let supported, let file):
            "\(file): peft_type \(found) is no PEFT method that Graft knows; "
                + "supported: \(supported.joined(separator: ", "))"
        case .invalidPattern(let setting, let pattern, let reason, let file):
            "\(file): '\(setting)' holds the regular expression '\(pattern)': \(reason)"
        case .noTargetMatched(let setting, let value, let modules, let file):
            "\(file): '\(setting)' is \(value): no target module matched; base has: \(modules)"
        case .unsupportedTarget(let module, let setting, let reason, let file):
            "\(file): '\(setting)' names '\(module)': \(reason)"
        default: nil
        }
    }

    var tensorDescription: String? {
        switch self {
        case .unknownTensor(let name, let reason, let file):
            "\(file): unexpected tensor '\(name)': \(reason)"
        case .missingTensor(let name, let reason, let file):
            "\(file): tensor '\(name)' is missing: \(reason)"
        case .wrongShape(let tensor, let expected, let found, let reason, let file):
            "\(file): tensor '\(tensor)' has shape \(found), expected \(expected): \(reason)"
        case .unsupportedType(let tensor, let found, let supported, let file):
            "\(file): tensor '\(tensor)' is of type \(found); supported are \(supported)"
        case .invalidValues(let tensor, let reason, let file):
            "\(file): tensor '\(tensor)' can't be used: \(reason); use the file as it was saved"
        case .notFinite(let tensor, let count, let first, let file):
            "\(file): tensor '\(tensor)' has \(count) non-finite value\(count == 1 ? "" : "s") "
                + "(first at \(first)): the adapter is damaged or its training diverged"
        default: nil
        }
    }

    var registryDescription: String {
        switch self {
        case .invalidName(let name, let reason):
            "adapter name \(Self.quoted(name)) can't be used: \(reason)"
        case .unknownAdapter(let name, let loaded):
            "no adapter \(Self.quoted(name)) is loaded; \(Self.listed(loaded))"
        case .unknownSpelling(let name):
            "no adapter \(Self.quoted(name)) is loaded, but one that looks the same in other Unicode "
                + "characters: send its name as it was given"
        case .invalidWeight(let adapter, let weight):
            "weight \(weight) of adapter '\(adapter)' is out of range: "
                + "give a finite number from -\(SelectionEntry.weightLimit) "
                + "to \(SelectionEntry.weightLimit)"
        case .repeatedSelection(let name):
            "adapter '\(name)' is named twice in one selection: add up its weights"
        case .combination(let error): error.description
        case .twoTokenizers(let first, let second):
            "adapters '\(first)' and '\(second)' were saved with different tokenizers or chat "
                + "templates, and a request has one: drop one of them"
        case .merge(let error): error.description
        case .notMerged(let name):
            "adapter '\(name)' is not merged: merge it first"
        case .replacedMeanwhile(let name):
            "adapter '\(name)' was loaded anew or unloaded while it was being merged: merge it again"
        case .cancelled:
            "the request was given up before its adapters were there"
        case .changedSinceRegistered(let name, let path):
            "\(path): is not what it was when adapter '\(name)' was given to it: put the file back, "
                + "or load the adapter again"
        case .memoryExceeded(let what, let byteCount, let limit):
            "\(what): takes up to \(byteCount) bytes of memory, and adapters may take \(limit) in all: "
                + "give the server more with --adapter-memory"
        case .memoryInUse(let what, let byteCount, let free):
            "\(what) takes up to \(byteCount) bytes of memory, and the adapters of requests in flight leave "
                + "\(max(0, free)): try again later, or give the server more with --adapter-memory"
        case .outputExists(let path):
            "\(path): exists and is not empty: name a new directory"
        case .unwritable(let path, let reason):
            "\(path): can't be written: \(reason)"
        case .unmergeable(let adapter, let module, let reason):
            "adapter '\(adapter)' can't become a checkpoint: '\(module)' \(reason)"
        default: ""
        }
    }

    private static func quoted(_ name: String) -> String {
        let printable = name.unicodeScalars.prefix(64).map {
            $0.value < 0x20 || $0.value == 0x7F ? "\\u{\(String($0.value, radix: 16))}" : String($0)
        }
        return "'" + printable.joined() + (name.unicodeScalars.count > 64 ? "…" : "") + "'"
    }

    private static func listed(_ names: [String]) -> String {
        guard !names.isEmpty else { return "none is loaded" }
        let shown = names.sorted().prefix(20).joined(separator: ", ")
        return "loaded: " + shown + (names.count > 20 ? " and \(names.count - 20) more" : "")
    }
}
