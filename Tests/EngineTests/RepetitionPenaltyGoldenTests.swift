import Checkpoints
import Engine
import Foundation
import StrictJSON
import Testing
import Transformer

/// Greedy answers under a repetition penalty against those of transformers' generate, which counts
/// the prompt.
@Suite struct RepetitionPenaltyGoldenTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Goldens/cases").path

    private struct Answer {
        let prompt: [Int32]
        let penalty: Float
        let tokens: [Int32]
        /// How far each token was ahead of the second.
        let margins: [Double]

        init(_ value: JSONValue) throws {
            let object = try #require(value.objectValue)
            func integers(_ key: String) throws -> [Int32] {
                try #require(object[key]?.arrayValue).compactMap { $0.intValue.map(Int32.init) }
            }
            prompt = try integers("prompt")
            tokens = try integers("tokens")
            penalty = Float(try #require(object["penalty"]?.doubleValue))
            margins = try #require(object["margins"]?.arrayValue).compactMap(\.doubleValue)
        }
    }

    @Test func greedyAnswersAreThoseOfGenerate() async throws {
        let text = try [UInt8](
            Data(contentsOf: URL(fileURLWithPath: "\(Self.folder)/repetition-penalty/greedy.json")))
        let content = try #require(try JSONValue(parsing: text).objectValue)
        let answers = try #require(content["answers"]?.arrayValue).map(Answer.init)
        #expect(answers.count == 12)
        let base = try BaseModel.open(path: "\(Self.folder)/bases/L3", pool: TinyBase.pool)
        let engine = GenerationEngine(base: base, pool: TinyBase.pool)
        var comparedCount = 0
        for answer in answers {
            let sink = RecordingSink()
            try engine.submit(
                GenerationRequest(
                    tokens: answer.prompt, lease: CountingLease(AdapterPlan.base(base.slots)),
                    sampling: try SamplingParameters(
                        temperature: 0, repetitionPenalty: answer.penalty),
                    maximumNewTokenCount: answer.tokens.count, sink: sink))
            let found = RecordingSink.tokens(await sink.wait()).map(\.token)
            try #require(found.count == answer.tokens.count)
            for place in found.indices {
                // From a tie on the two go different ways.
                guard answer.margins[place] > 1e-4 else { break }
                #expect(found[place] == answer.tokens[place], "\(answer.penalty), \(place)")
                comparedCount += 1
            }
        }
        #expect(comparedCount > 200)
        await engine.drain()
    }
}
