import Checkpoints
import Dispatch
import Synchronization
import Tokenization

/// Reads a tokenizer on a thread of its own, while the weights are read.
final class TokenizerReading: Sendable {
    private typealias Outcome = Result<any Tokenizer, TokenizationError>

    private let group = DispatchGroup()
    private let outcome = Mutex<Outcome?>(nil)

    func begin(_ assets: TokenizerAssets) {
        DispatchQueue.global(qos: .userInitiated).async(group: group) {
            let result = Outcome { () throws(TokenizationError) in
                try TokenizerLoader.load(assets)
            }
            self.outcome.withLock { $0 = result }
        }
    }

    /// Waits for it; nil where none was begun.
    func result() throws(TokenizationError) -> (any Tokenizer)? {
        group.wait()
        return try outcome.withLock { $0 }?.get()
    }
}
