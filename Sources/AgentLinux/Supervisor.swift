import CAgent
import DeviceCore
import Glibc
import NIOPosix
import Synchronization

/// Runs the program of a slot as a child, on a thread of its own.
///
/// The child dies with that thread, hence with the agent, however the agent ends. At most one program runs
/// at a time.
final class Supervisor: Sendable {
    /// One program to run.
    struct Program: Sendable {
        var path: String
        var slot: Slot
        var thing: String
        var settings: String
        var notifyPath: String
    }

    /// How long a program may take to end when asked to, in milliseconds.
    static let stopMilliseconds: Int32 = 2_000

    private struct State {
        var number = 0
        var isStopping = false
    }

    private let pool = NIOThreadPool(numberOfThreads: 1)
    private let state = Mutex(State())
    /// Wakes the thread.
    private let waker: Int32
    private let report: @Sendable (Int, DeviceCore.Event) -> Void

    init(report: @escaping @Sendable (Int, DeviceCore.Event) -> Void) {
        self.report = report
        waker = apus_agent_make_waker()
        pool.start()
    }

    /// Starts a program, once the one before it has ended; its reports carry the number that is returned.
    func start(_ program: Program) -> Int {
        let number = state.withLock { state in
            state.number += 1
            state.isStopping = false
            return state.number
        }
        pool.submit { [self] _ in
            run(program, number)
        }
        return number
    }

    /// Ends the program, kindly at first; returns when it is gone.
    func stop() async {
        state.withLock { $0.isStopping = true }
        apus_agent_wake(waker)
        // The pool has one thread: this runs when the program's loop is done.
        try? await pool.runIfActive {}
    }

    /// Ends the program and the thread.
    func shutdown() async {
        await stop()
        try? await pool.shutdownGracefully()
    }

    private func isStopping(_ number: Int) -> Bool {
        state.withLock { $0.isStopping || $0.number != number }
    }

    // MARK: On the thread

    private func run(_ program: Program, _ number: Int) {
        guard !isStopping(number) else { return }
        guard let socket = try? NotifySocket(path: program.notifyPath) else {
            return report(number, .programExited(code: 127))
        }
        defer { socket.close() }
        let child = spawn(program, socket.name)
        guard child > 0 else { return report(number, .programExited(code: 127)) }
        let code = watch(child, socket, number)
        if !isStopping(number) { report(number, .programExited(code: code)) }
    }

    private func spawn(_ program: Program, _ socket: String) -> pid_t {
        program.thing.withCString { thing in
            program.settings.withCString { settings in
                socket.withCString { socket in
                    (program.slot == .a ? "a" : "b").withCString { slot in
                        var environment = apus_agent_environment(
                            thing: thing,
                            slot: slot,
                            settings: settings,
                            notify_socket: socket
                        )
                        return apus_agent_spawn(program.path, &environment)
                    }
                }
            }
        }
    }

    /// Waits until the child has ended; its exit code, or 128 and the signal.
    private func watch(_ child: pid_t, _ socket: NotifySocket, _ number: Int) -> Int32 {
        let process = apus_agent_open_process(child)
        defer { if process >= 0 { close(process) } }
        var places = [
            pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: waker, events: Int16(POLLIN), revents: 0),
            pollfd(fd: process, events: Int16(POLLIN), revents: 0),
        ]
        var killAt: UInt64?
        while true {
            let wait: Int32 = killAt != nil || process < 0 ? 50 : -1
            poll(&places, nfds_t(places.count), wait)
            if socket.readsReady(), !isStopping(number) { report(number, .programReady) }
            apus_agent_settle(waker)
            if let code = ended(child) { return code }
            if isStopping(number) { killAt = end(child, killAt) }
        }
    }

    /// Asks the child to end, and kills it when its time is over.
    private func end(_ child: pid_t, _ killAt: UInt64?) -> UInt64 {
        guard let killAt else {
            kill(-child, SIGTERM)
            return Clock.now() + UInt64(Self.stopMilliseconds)
        }
        if Clock.now() >= killAt { kill(-child, SIGKILL) }
        return killAt
    }

    private func ended(_ child: pid_t) -> Int32? {
        var status: Int32 = 0
        guard waitpid(child, &status, WNOHANG) == child else { return nil }
        // What it left behind in its group ends with it.
        kill(-child, SIGKILL)
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }
}
