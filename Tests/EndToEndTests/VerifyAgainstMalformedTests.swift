import Foundation
import Testing

/// Files of reference logits that `graft verify --against` has to refuse, each with its sentence.
struct VerifyAgainstMalformedTests {
    /// One change of a good file and what is said of it.
    struct Change: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let expected: String
        let edit: @Sendable (inout [UInt8]) -> Void

        /// Replaces a text of the header by one of the same length.
        static func header(_ old: String, _ new: String, says expected: String) -> Change {
            Change(testDescription: new, expected: expected) { bytes in
                precondition(old.utf8.count == new.utf8.count)
                let header = Data(bytes).range(of: Data(old.utf8))!
                bytes.replaceSubrange(header.lowerBound..<header.upperBound, with: Array(new.utf8))
            }
        }
    }

    static let changes = [
        Change.header(
            #""logits.0":{"dtype":"F32""#, #""logits.0":{"dtype":"I32""#,
            says: "tensor 'logits.0' is I32 [8, 512], expected F32 of shape [8, 512]: "
                + "was it exported with this base?"),
        .header(
            #""tokens.0":{"dtype":"I64""#, #""tokens.0":{"dtype":"U64""#,
            says: "tensor 'tokens.0' is U64 [8], expected I64 of shape [tokens]"),
        .header(
            #""reference_distance":"0."#, #""reference_distance":"-1"#,
            says: "metadata 'reference_distance' is '-1"),
        Change(
            testDescription: "a token outside the vocabulary",
            expected: "tensor 'tokens.0' is I64 [8], expected token ids of 0 to 511"
        ) { bytes in
            // The data begin with tokens.0: the first becomes 65,537 or so.
            let start = 8 + bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
            bytes[start + 2] = 1
        },
        Change(
            testDescription: "a logit that is no number",
            expected: "tensor 'logits.0' is F32 [8, 512], expected finite logits"
        ) { bytes in
            bytes.replaceSubrange((bytes.count - 4)..<bytes.count, with: [0, 0, 0xC0, 0x7F])
        },
    ]

    @Test(arguments: changes)
    func isRefusedByName(change: Change) throws {
        let adapter = Checkout.path("Tests/Goldens/methods/lora/rslora")
        let good = URL(fileURLWithPath: adapter + "/expected.safetensors")
        let folder = try TemporaryDirectory()
        let path = folder.file("changed.safetensors")
        var bytes = try [UInt8](Data(contentsOf: good))
        change.edit(&bytes)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let finished = try GraftProcess.run([
            "verify", "--base", Checkout.model("tiny-qwen2"), "--adapter", adapter, "--against",
            path,
        ])
        #expect(finished.status != 0)
        #expect(finished.errors.contains(change.expected), "\(finished.errors)")
    }
}
