import Accounts
import Testing

@Test("ten wrong passwords make a pause of 15 minutes, for that key alone")
func pause() {
    var guardian = SignInGuard()
    for _ in 1..<SignInGuard.tries { guardian.failed("ann 1.2.3.4", now: 1000) }
    #expect(guardian.pause("ann 1.2.3.4", now: 1000) == nil)
    guardian.failed("ann 1.2.3.4", now: 2000)
    #expect(guardian.pause("ann 1.2.3.4", now: 2000) == SignInGuard.memory)
    #expect(guardian.pause("ann 5.6.7.8", now: 2000) == nil)
    #expect(guardian.pause("ann 1.2.3.4", now: 2000 + SignInGuard.memory) == nil)
}

@Test("a right password, or time, forgets")
func forgetting() {
    var guardian = SignInGuard()
    for _ in 0..<SignInGuard.tries { guardian.failed("ann", now: 0) }
    guardian.succeeded("ann")
    #expect(guardian.pause("ann", now: 0) == nil)
    for _ in 1..<SignInGuard.tries { guardian.failed("ann", now: 0) }
    guardian.failed("ann", now: SignInGuard.memory)
    #expect(guardian.pause("ann", now: SignInGuard.memory) == nil)
}

@Test("a crowd of guesses does not grow without bound, and the newest stay known")
func bounded() {
    var guardian = SignInGuard()
    for number in 0..<(3 * SignInGuard.limit) { guardian.failed("\(number)", now: Int64(number)) }
    let now = Int64(3 * SignInGuard.limit)
    for _ in 0..<SignInGuard.tries { guardian.failed("new", now: now) }
    #expect(guardian.pause("new", now: now) != nil)
}
