// Two threads count together: `guarded` under a mutex that they wait for, `bare` in a race.
import Dispatch
import Synchronization

final class Count: @unchecked Sendable {
    var value = 0
}

let isGuarded = CommandLine.arguments.last == "guarded"
let count = Count()
let mutex = Mutex<Void>(())
DispatchQueue.concurrentPerform(iterations: 8) { _ in
    for _ in 0..<20_000 {
        if isGuarded { mutex.withLock { _ in count.value += 1 } } else { count.value += 1 }
    }
}
