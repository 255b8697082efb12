import Kernels

extension ForwardPass {
    /// Adds what the plans' gated prefixes give to attention's output.
    func addGatedPrefixes(_ layer: Int, _ ranges: [PlanRange]) {
        for range in ranges where range.views.gates.count > 0 {
            let gates = range.views.gates[layer]
            guard gates.count > 0 else { continue }
            forEachRowBlock(of: range.rows.count) { block in
                for offset in block { add(gates, to: range.rows.lowerBound + offset) }
            }
        }
    }

    private func add(_ gates: GateList, to row: Int) {
        let (queries, attended) = (buffers.queries, buffers.attended)
        for index in 0..<gates.count {
            let gate = gates.first[index]
            gate.prefix._withUnsafeGuaranteedRef { prefix in
                withUnsafeTemporaryAllocation(of: Float.self, capacity: prefix.tokenCount) {
                    prefix.add(
                        queries: queries.row(row), scaledBy: gate.weight,
                        to: attended.row(row), scores: $0.baseAddress!)
                }
            }
        }
    }
}
