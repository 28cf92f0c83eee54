import Glibc

/// The two clocks of a device.
enum Clock {
    /// Milliseconds since the machine was started, sleep included; never goes back.
    static func now() -> UInt64 { read(CLOCK_BOOTTIME) }

    /// Milliseconds since 1970, for logs only.
    static func date() -> UInt64 { read(CLOCK_REALTIME) }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(max(0, time.tv_sec)) * 1_000 + UInt64(max(0, time.tv_nsec)) / 1_000_000
    }
}
