internal import CPCRE2

/// The memory of one series of matches of an expression, one after the other.
public final class ExpressionMatcher {
    /// What the library's questions are counted with.
    struct Meter {
        var stepsLeft: Int
        let weight: Int
        var position: Int
    }

    private let expression: CompiledExpression
    private let data: OpaquePointer?
    private let context: OpaquePointer?
    private var stack: OpaquePointer?
    private let meter: UnsafeMutablePointer<Meter>
    /// Groups of the latest match up to the last that took part.
    private var groupCount = 0

    public init(_ expression: CompiledExpression) {
        self.expression = expression
        data = pcre2_match_data_create_from_pattern_8(expression.code, nil)
        context = pcre2_match_context_create_8(nil)
        meter = .allocate(capacity: 1)
        meter.initialize(to: Meter(stepsLeft: 0, weight: expression.stepWeight, position: 0))
        pcre2_set_match_limit_8(context, ExpressionLimits.backtrackCount)
        pcre2_set_heap_limit_8(context, UInt32(expression.limits.memory >> 10))
        guard expression.stepWeight > 0 else { return }
        pcre2_set_callout_8(context, Self.count, meter)
    }

    deinit {
        pcre2_match_context_free_8(context)
        pcre2_match_data_free_8(data)
        pcre2_jit_stack_free_8(stack)
        meter.deallocate()
    }

    /// Counts one item of the pattern, and the characters that were passed since the last.
    private static let count:
        @convention(c) (
            UnsafeMutablePointer<pcre2_callout_block_8>?, UnsafeMutableRawPointer?
        ) -> Int32 = { block, data in
            guard let block, let meter = data?.assumingMemoryBound(to: Meter.self) else { return 0 }
            let position = block.pointee.current_position
            let passed = abs(position - meter.pointee.position)
            meter.pointee.position = position
            meter.pointee.stepsLeft -=
                (ExpressionLimits.stepsOfItem + passed) * meter.pointee.weight
            return meter.pointee.stepsLeft < 0 ? PCRE2_ERROR_CALLOUT : 0
        }

    /// Finds the first match at or after `start`.
    ///
    /// - Parameter stepsLeft: what it may cost; less afterwards.
    /// - Throws: `ExpressionError.limit`.
    public func match(
        _ text: UnsafeBufferPointer<UInt8>, from start: Int, stepsLeft: inout Int
    ) throws(ExpressionError) -> Bool {
        groupCount = 0
        // The library takes no null pointer, even for nothing.
        let nothing: [UInt8] = [0]
        let result = nothing.withUnsafeBufferPointer { nothing in
            run(
                text.baseAddress ?? nothing.baseAddress!, count: text.count, start: start,
                &stepsLeft)
        }
        if result == PCRE2_ERROR_NOMATCH { return false }
        guard result > 0 else { throw .limit }
        groupCount = Int(result)
        return true
    }

    private func run(
        _ text: UnsafePointer<UInt8>, count: Int, start: Int, _ stepsLeft: inout Int
    ) -> Int32 {
        meter.pointee.stepsLeft = stepsLeft
        meter.pointee.position = start
        defer { stepsLeft = meter.pointee.stepsLeft }
        let code = expression.code
        let result = pcre2_match_8(code, text, count, start, PCRE2_NO_UTF_CHECK, data, context)
        // A run that is too long for the machine stack is matched again on a stack of its own.
        guard result == PCRE2_ERROR_JIT_STACKLIMIT, stack == nil else { return result }
        stack = pcre2_jit_stack_create_8(64 << 10, expression.limits.memory, nil)
        pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack))
        meter.pointee.position = start
        return pcre2_match_8(code, text, count, start, PCRE2_NO_UTF_CHECK, data, context)
    }

    /// The last group that took part in the latest match; 0: none did.
    public var lastGroup: Int { max(0, groupCount - 1) }

    /// The byte range of a group of the latest match, 0 being all of it; nil where it took no part,
    /// or where `\K` turned it around.
    public func range(ofGroup group: Int) -> Range<Int>? {
        guard group < groupCount, let offsets = pcre2_get_ovector_pointer_8(data) else {
            return nil
        }
        let (start, end) = (offsets[2 * group], offsets[2 * group + 1])
        return start <= end && end != .max ? start..<end : nil
    }
}

extension CompiledExpression {
    /// Every match in `text` from left to right, as byte ranges; a match may be empty.
    ///
    /// - Throws: `ExpressionError.limit`.
    public func matches(
        in text: UnsafeBufferPointer<UInt8>, with matcher: ExpressionMatcher,
        stepsLeft: inout Int
    ) throws(ExpressionError) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        while start <= text.count {
            guard try matcher.match(text, from: start, stepsLeft: &stepsLeft) else { break }
            guard let range = matcher.range(ofGroup: 0) else { throw .limit }
            ranges.append(range)
            start = range.upperBound
            guard range.isEmpty else { continue }
            start += 1
            while start < text.count && text[start] & 0xC0 == 0x80 { start += 1 }
        }
        return ranges
    }
}
