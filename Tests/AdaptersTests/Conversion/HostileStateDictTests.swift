import Adapters
import Foundation
import Testing

/// Small files that would end or exhaust a process that believed them.
@Suite struct HostileStateDictTests {
    private let directory: ScratchDirectory
    private let refusal = ", and only tensors by name are read: save the state dict alone"

    init() throws { directory = try ScratchDirectory() }

    private func failure(_ bytes: [UInt8]) throws -> String {
        let path = directory.path + "/lora.pt"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return AdapterFailure.description {
            _ = try AdapterConversion(from: path, settings: #"{"lora_alpha":4}"#)
        }.replacingOccurrences(of: directory.path + "/", with: "")
    }

    private func failure(pickle: [UInt8]) throws -> String {
        try failure(TorchFixture(pickle: pickle).bytes)
    }

    /// One LoRA whose A is this view of 64 floats.
    private func failure(
        _ shape: [Int], _ strides: [Int], offset: Int = 0, elementCount: Int = 64
    ) throws -> String {
        let file = TorchFixture(
            pickle: Pickle.dictionary([
                (
                    "q.lora_A",
                    Pickle.tensor(
                        shape, strides: strides, offset: offset, elementCount: elementCount)
                ),
                (
                    "q.lora_B",
                    Pickle.tensor([16, 2], strides: [2, 1], key: "1", elementCount: 32)
                ),
            ]),
            storages: [
                "0": [UInt8](repeating: 0, count: 256), "1": [UInt8](repeating: 0, count: 128),
            ])
        return try failure(file.bytes)
    }

    @Test func aViewOfItsDataIsRead() throws {
        #expect(try failure([2, 16], [16, 1]) == "no error")
        #expect(try failure([2, 16], [16, 1], offset: 32) == "no error")
        #expect(try failure([2, 32], [1, 2]) == "no error")
        #expect(try failure([2, 16], [32, 2]) == "no error")
    }

    /// What a pickle says of a tensor's place.
    struct View: Sendable {
        let shape: [Int]
        let strides: [Int]
        var offset = 0
        var elementCount = 64
    }

    private static let misplaced: [View] = [
        View(shape: [2, 16], strides: [16, 1], offset: 33),
        View(shape: [2, 16], strides: [16, 1], offset: -1),
        View(shape: [-2, -16], strides: [16, 1]),
        View(shape: [2, 16], strides: [-16, 1]),
        View(shape: [1 << 32, 1 << 32], strides: [1 << 32, 1]),
        View(shape: [2, 16], strides: [1 << 62, 1 << 62]),
    ]
    private static let overlapping: [View] = [
        View(shape: [2, 16], strides: [0, 1]), View(shape: [2, 16], strides: [1, 1]),
        View(shape: [4, 16], strides: [15, 1]),
    ]
    /// A count of bytes that overflows, and one that is too small.
    private static let unlike: [View] = [
        View(shape: [2, 16], strides: [16, 1], elementCount: 1 << 62),
        View(shape: [2, 16], strides: [16, 1], elementCount: 63),
    ]
    private static let wide: [View] = [9, 62].map {
        View(shape: [Int](repeating: 2, count: $0), strides: [Int](repeating: 1, count: $0))
    }
    private static let refusedViews: [(View, String)] =
        misplaced.map { ($0, "it lies outside of its data") }
        + overlapping.map { ($0, "two of its elements are one: save it with .contiguous()") }
        + unlike.map { ($0, "its data are not in the archive, or of another size") }
        + wide.map { ($0, "has \($0.shape.count) dimensions, the limit is 8") }

    @Test(arguments: refusedViews)
    func aViewThatIsNotItsDataIsRefused(view: View, reason: String) throws {
        #expect(
            try failure(
                view.shape, view.strides, offset: view.offset, elementCount: view.elementCount)
                == "lora.pt: tensor 'q.lora_A': \(reason)")
    }

    @Test func eightDimensionsAreReadBeforeTheyAreMisfits() throws {
        let shape = [Int](repeating: 1, count: 8)
        #expect(try failure(shape, shape).contains("has shape [1, 1, 1, 1, 1, 1, 1, 1]"))
    }

    @Test func tensorsThatShareDataAreCounted() throws {
        let size = 1 << 16
        func failure(_ count: Int) throws -> String {
            let tensors = (0..<count).map { index in
                (
                    "m\(index).lora_A",
                    Pickle.tensor([1, size], strides: [size, 1], elementCount: size)
                )
            }
            return try self.failure(
                TorchFixture(
                    pickle: Pickle.dictionary(tensors),
                    storages: ["0": [UInt8](repeating: 0, count: 4 * size)]
                ).bytes)
        }
        #expect(try failure(4).contains("tensor 'm0.lora_B' is missing"))
        #expect(
            try failure(5).hasSuffix(
                "the file's tensors share data, and together have more than 4 times its bytes: save "
                    + "each once"))
    }

    /// A dictionary in itself, directly, in a tuple, and through another.
    @Test(arguments: [
        "}q\0X\u{5}\0\0\0modelh\0s.", "}q\0X\u{5}\0\0\0modelh\0\u{85}s.",
        "}q\0X\u{5}\0\0\0model}q\u{1}X\u{5}\0\0\0modelh\0ss.",
        "}q\0(X\u{5}\0\0\0model}q\u{1}X\u{1}\0\0\0a}q\u{2}suh\u{2}X\u{1}\0\0\0bh\0s.",
    ])
    func aDictionaryThatHoldsItselfIsRefused(text: String) throws {
        // Scalars are bytes.
        let pickle = [0x80, 2] + text.unicodeScalars.map { UInt8($0.value) }
        let failure = try failure(pickle: pickle)
        #expect(
            failure
                == "lora.pt: the pickle holds a dictionary that is filled after it became part of something"
                + refusal)
    }

    @Test func aDictionaryIsFilledBeforeItIsPutAway() throws {
        let text = "}X\u{5}\0\0\0model}X\u{1}\0\0\0aNss."
        let failure = try failure(pickle: [0x80, 2] + Array(text.utf8))
        #expect(
            failure == "lora.pt: it holds more than tensors by name: save the state dict alone")
    }

    @Test(arguments: [(31, false), (32, true), (100_000, true)])
    func valuesNestSoDeepAndNoDeeper(count: Int, isRefused: Bool) throws {
        let pickle = [0x80, 2] + Array("N".utf8) + [UInt8](repeating: 0x85, count: count + 1)
        let failure = try failure(pickle: pickle + Array(".".utf8))
        #expect(
            failure
                == (isRefused
                    ? "lora.pt: the pickle holds values that nest more than 32 deep" + refusal
                    : "lora.pt: it holds no state dict: save one with torch.save"))
    }

    @Test(arguments: ["N", "(", "Nq\0"])
    func moreValuesThanAStateDictHasAreRefused(code: String) throws {
        let piece = Array(code.utf8)
        var pickle: [UInt8] = [0x80, 2]
        for _ in 0...(4 << 20) { pickle += piece }
        let failure = try failure(pickle: pickle)
        #expect(failure == "lora.pt: the pickle holds more than 4194304 values" + refusal)
    }

    @Test func aPickleThatIsTooLongIsNotRun() throws {
        let pickle = [UInt8](repeating: 0x80, count: (64 << 20) + 1)
        #expect(
            try failure(pickle: pickle)
                == "lora.pt: its pickle has 67108865 bytes, the limit is 67108864: save the state dict "
                + "alone")
    }

    @Test func anEmptyStateDictHasNoTensors() throws {
        #expect(
            try failure(pickle: [0x80, 2] + Array("}.".utf8))
                == "lora.pt: it holds no tensors: was anything trained when it was saved?")
    }

    @Test func archivesSayOneThing() throws {
        let pickle = [0x80, 2] + Array("}.".utf8)
        #expect(
            try failure(TorchFixture.archive([("a/data.pkl", pickle), ("b/data.pkl", pickle)]))
                == "lora.pt: the archive has 2 pickles, and torch saves one: 'a/data.pkl', "
                + "'b/data.pkl'")
        #expect(
            try failure(TorchFixture.archive([("a/data.pkl", pickle), ("a/data.pkl", pickle)]))
                == "lora.pt: the archive has 'a/data.pkl' twice")
        var bytes = TorchFixture(pickle: pickle).bytes
        let place = try #require(
            bytes.indices.first { bytes[$0...].starts(with: Array("a/data.pkl".utf8)) })
        bytes[place] = UInt8(ascii: "b")
        #expect(
            try failure(bytes)
                == "lora.pt: has a member that its zip directory describes otherwise, 'a/data.pkl'"
        )
    }
}
