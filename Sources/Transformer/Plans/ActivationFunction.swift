internal import Glibc

/// A function of single values between the layers of a network, by the name that `transformers` has
/// for it.
public struct ActivationFunction: Sendable {
    private typealias Function = @Sendable (Double) -> Double

    private static let functions: [String: Function] = [
        "gelu": exactGELU,
        "gelu_10": { min(max(exactGELU($0), -10), 10) },
        "gelu_accurate": curvedGELU,
        "gelu_fast": curvedGELU,
        "gelu_new": curvedGELU,
        "gelu_python": exactGELU,
        "gelu_python_tanh": curvedGELU,
        "gelu_pytorch_tanh": curvedGELU,
        "leaky_relu": leakyReLU,
        "leakyrelu": leakyReLU,
        "laplace": { (1 + erf(($0 - 0.707107) / (0.282095 * Double(2).squareRoot()))) / 2 },
        "linear": { $0 },
        "mish": { $0 * tanh(log1p(exp($0))) },
        "quick_gelu": { $0 / (1 + exp(-1.702 * $0)) },
        "relu": { max(0, $0) },
        "relu2": { max(0, $0) * max(0, $0) },
        "relu6": { min(max(0, $0), 6) },
        "sigmoid": { 1 / (1 + exp(-$0)) },
        "silu": { $0 / (1 + exp(-$0)) },
        "swish": { $0 / (1 + exp(-$0)) },
        "tanh": { tanh($0) },
    ]

    /// Names that are known, sorted.
    public static let names: [String] = functions.keys.sorted()

    private let function: Function

    /// nil for names that aren't known.
    public init?(_ name: String) {
        guard let function = Self.functions[name] else { return nil }
        self.function = function
    }

    /// f(input)
    public func value(_ input: Float) -> Float { Float(function(Double(input))) }

    private static let leakyReLU: Function = { $0 > 0 ? $0 : 0.01 * $0 }

    private static let exactGELU: Function = { $0 / 2 * (1 + erf($0 / Double(2).squareRoot())) }

    /// The approximation by tanh. **Source**: arXiv 1606.08415.
    private static let curvedGELU: Function = {
        $0 / 2 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0)))
    }
}
