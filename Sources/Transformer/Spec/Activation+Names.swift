internal import Kernels

extension Activation {
    /// By the names that transformers has.
    private static let named: [(name: String, activation: Activation)] = [
        ("silu", .silu), ("swish", .silu), ("gelu", .gelu), ("gelu_new", .geluTanh),
        ("gelu_fast", .geluTanh), ("gelu_pytorch_tanh", .geluTanh), ("relu", .relu),
        ("relu2", .reluSquared), ("quick_gelu", .quickGELU),
    ]

    static var namesByTransformers: [String] { named.map(\.name) }

    /// nil for names that aren't known.
    init?(named name: String) {
        guard let entry = Self.named.first(where: { $0.name == name }) else { return nil }
        self = entry.activation
    }
}
