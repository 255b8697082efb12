public import Checkpoints

/// Why a base can't be used.
public enum TransformerError: Error, Equatable, Sendable, CustomStringConvertible {
    case checkpoint(CheckpointError)
    case missingSetting(String, file: String)
    case invalidSetting(String, value: String, expected: String, file: String)
    case unsupportedSetting(String, value: String, supported: String, file: String)
    case refusedSetting(String, value: String, reason: String, file: String)
    case missingTensor(String, file: String)
    case wrongShape(tensor: String, expected: [Int], found: [Int], file: String)
    case unsupportedType(tensor: String, found: String, supported: String, file: String)
    case mixedTypes(tensor: String, expected: String, found: String, file: String)
    case unknownTensor(String, file: String)
    case foreignTensor(String, part: String, reason: String, file: String)
    case damagedPackedFile(String, file: String)
    case tooLarge(needed: Int, available: Int, file: String)

    public var description: String {
        switch self {
        case .checkpoint(let error):
            error.description
        case .missingSetting(let name, let file):
            "\(file): the configuration lacks '\(name)', which the base can't be read without"
        case .invalidSetting(let name, let value, let expected, let file):
            "\(file): setting '\(name)' is \(value), expected \(expected)"
        case .unsupportedSetting(let name, let value, let supported, let file):
            "\(file): setting '\(name)' is \(value), which Graft doesn't support; it supports "
                + supported
        case .refusedSetting(let name, let value, let reason, let file):
            "\(file): setting '\(name)' is \(value), and can't be served: \(reason)"
        case .missingTensor(let name, let file):
            "\(file): tensor '\(name)' is missing: the file is incomplete or of another architecture"
        case .wrongShape(let tensor, let expected, let found, let file):
            "\(file): tensor '\(tensor)' has shape \(found), the configuration asks for \(expected)"
        case .unsupportedType(let tensor, let found, let supported, let file):
            "\(file): tensor '\(tensor)' is of type \(found); supported are \(supported): "
                + "convert the checkpoint"
        case .mixedTypes(let tensor, let expected, let found, let file):
            "\(file): tensor '\(tensor)' is of type \(found) where \(expected) was expected"
        case .unknownTensor(let name, let file):
            "\(file): tensor '\(name)' has no place in this architecture; a base is read whole or "
                + "not at all: check config.json's model_type"
        case .foreignTensor(let name, let part, let reason, let file):
            "\(file): tensor '\(name)' has '\(part)' in its name: \(reason)"
        case .tooLarge(let needed, let available, let file):
            "\(file): the weights take \(needed) bytes of memory, and this machine has "
                + "\(available): take a smaller model, or one in smaller types"
        case .damagedPackedFile(let reason, let file):
            "\(file): not a usable model.bin: \(reason); write it again with 'graft pack'"
        }
    }
}
