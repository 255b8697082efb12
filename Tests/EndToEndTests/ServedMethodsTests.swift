import Adapters
import StrictJSON
import Testing

/// All methods at once, through the program that users start.
struct ServedMethodsTests {
    private static func cases(_ base: String) throws -> [MethodCase] {
        let supported = Set(AdapterReader.supportedMethods)
        return try MethodCase.all.filter {
            guard $0.base == base, $0.adapters.count == 1, !MethodGoldenTests.isRefused($0) else {
                return false
            }
            return supported.contains(try $0.peftType())
        }
    }

    @Test(arguments: ["tiny-llama", "tiny-qwen2"])
    func oneServerAnswersForEveryMethodAsPEFTDoes(base: String) throws {
        let cases = try Self.cases(base)
        let arguments =
            ["--base", Checkout.model(base), "--kv-dtype", "f32", "--adapter-dtype", "file"]
            + cases.flatMap { ["--adapter", "\($0.adapterName)=\($0.path($0.adapters[0].name))"] }
        // Twice: the second time keys and values come from the cache.
        let requests = (0..<2 * cases.count).map { index in
            let golden = cases[index % cases.count]
            return #"{"id":\#(index),"tokens":\#(golden.prompts[0]),"adapter":"#
                + #""\#(golden.adapterName)","max_tokens":\#(golden.greedy[0].tokens.count),"#
                + #""temperature":0,"stream":false,"ignore_eos":true}"#
        }
        let events = try GraftProcess.serve(arguments, requests)
        for index in requests.indices {
            let golden = cases[index % cases.count]
            let done = try #require(
                events.done(index), "\(golden.id): \(events.of(index).first as Any)")
            let usage = done["usage"]?.objectValue
            #expect(usage?["prompt_tokens"]?.intValue == golden.prompts[0].count)
            #expect((usage?["cached_tokens"]?.intValue ?? -1) >= 0)
            let reference = golden.greedy[0]
            for (place, token) in reference.tokens.enumerated() {
                if reference.margins[place] <= Double(2 * golden.tolerance) { break }
                #expect(done.tokens[place] == Int(token), "\(golden.id), token \(place)")
            }
        }
    }
}
