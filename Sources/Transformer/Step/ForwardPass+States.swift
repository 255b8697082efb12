extension ForwardPass {
    /// Lets the rows' states act on what a layer takes.
    func injectStates(_ layer: Int) {
        forEachState(layer) { $0.inject($2, into: $1, scratch: $3) }
    }

    /// Takes what a layer made into the rows' states.
    func updateStates(_ layer: Int) {
        forEachState(layer) { $0.update($2, by: $1, scratch: $3) }
    }

    /// - Parameter body: takes the layer of the row's plan, the row, its state, and scratch.
    private func forEachState(
        _ layer: Int,
        _ body: (
            StateLayer, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>,
            UnsafeMutablePointer<Float>
        ) -> Void
    ) {
        for range in rows.plans where range.views.stateLayers.count > 0 {
            guard let states = range.states,
                let stateLayer = range.views.stateLayers[layer]?.takeUnretainedValue()
            else { continue }
            forEachRowBlock(of: range.rows.count) { block in
                withUnsafeTemporaryAllocation(
                    of: Float.self, capacity: stateLayer.scratchCount
                ) { scratch in
                    for row in block {
                        let place = range.rows.lowerBound + row
                        body(
                            stateLayer, buffers.hidden.row(place), states.row(place),
                            scratch.baseAddress!)
                    }
                }
            }
        }
    }
}
