internal import Tokenization

/// Turns the new tokens of a request into its text: whole characters, cut before a stop string.
struct TextAssembler: Sendable {
    private var decoder: StreamingDecoder?
    private var stops: StopMatcher
    /// Everything given out so far.
    private(set) var text = ""

    /// - Parameter tokenizer: nil where the base has none; the text stays empty then.
    init(tokenizer: (any Tokenizer)?, position: TextPosition, stops: [String]) {
        decoder = tokenizer.map { StreamingDecoder($0, at: position) }
        self.stops = StopMatcher(stops)
    }

    /// Whether a stop string was found.
    var hasStopped: Bool { stops.hasStopped }

    /// Whether text is held back: part of a character, or what may begin a stop string.
    var isHolding: Bool { !stops.hasStopped && (stops.isHolding || holdsCharacter) }

    private var holdsCharacter: Bool {
        var copy = decoder
        return copy?.finish().isEmpty == false
    }

    /// The text that `token` sets free; may be empty.
    mutating func append(_ token: Int32) -> String {
        give(decoder?.append(Int(token)) ?? "")
    }

    /// No more tokens come: an unfinished character and text held back for a stop string.
    mutating func finish() -> String {
        let last = give(decoder?.finish() ?? "")
        let held = stops.finish()
        text += held
        return last + held
    }

    private mutating func give(_ piece: String) -> String {
        let free = stops.append(piece)
        text += free
        return free
    }
}
