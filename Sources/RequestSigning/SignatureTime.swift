/// A second of the calendar in UTC, as signatures write it: `YYYYMMDD'T'HHMMSS'Z'`.
struct SignatureTime: Equatable {
    /// Seconds since 1970; before that, negative.
    let seconds: Int64

    /// As it is signed.
    var text: String {
        let (year, month, day) = Self.date(days: (seconds - Self.floorModulo(seconds, 86_400)) / 86_400)
        let clock = Self.floorModulo(seconds, 86_400)
        return Self.padded(year, 4) + Self.padded(month, 2) + Self.padded(day, 2) + "T" + Self.padded(clock / 3600, 2)
            + Self.padded(clock / 60 % 60, 2) + Self.padded(clock % 60, 2) + "Z"
    }

    /// The date alone, as it stands in the scope.
    var date: Substring { text.prefix(8) }

    /// Takes seconds since 1970.
    init(seconds: Int64) {
        self.seconds = seconds
    }

    /// Reads `20260101T000000Z`.
    init?(basic text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z") else { return nil }
        self.init(
            Self.number(bytes[0..<4]), Self.number(bytes[4..<6]), Self.number(bytes[6..<8]),
            clock: bytes[9..<11], bytes[11..<13], bytes[13..<15])
    }

    /// Reads the value of the field `Date`: `Thu, 01 Jan 2026 00:00:00 GMT`, or `-0000` in its place.
    init?(field text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 29, ["GMT", "-0000", "+0000"].contains(String(decoding: bytes[26...], as: UTF8.self)),
            [3: ",", 4: " ", 7: " ", 11: " ", 16: " ", 19: ":", 22: ":", 25: " "].allSatisfy({
                bytes[$0.key] == $0.value.utf8.first
            }), let month = Self.months.firstIndex(of: String(decoding: bytes[8..<11], as: UTF8.self))
        else { return nil }
        self.init(
            Self.number(bytes[12..<16]), Int64(month + 1), Self.number(bytes[5..<7]),
            clock: bytes[17..<19], bytes[20..<22], bytes[23..<25])
    }

    private init?(_ year: Int64?, _ month: Int64?, _ day: Int64?, clock: ArraySlice<UInt8>...) {
        let parts = clock.map(Self.number)
        guard let year, let month, let day, let hour = parts[0], let minute = parts[1], let second = parts[2],
            hour < 24, minute < 60, second < 60
        else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        guard Self.date(days: days) == (year, month, day) else { return nil }
        seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
    }
}

// MARK: - Calendar

extension SignatureTime {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Days since 1970 of a date; years begin in March here, so that the leap day is the last of its year.
    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month > 2 ? year : year - 1
        let era = (shifted - floorModulo(shifted, 400)) / 400
        let yearOfEra = floorModulo(shifted, 400)
        let dayOfYear = (153 * floorModulo(month - 3, 12) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// The date `days` after the first of January 1970.
    private static func date(days: Int64) -> (Int64, Int64, Int64) {
        let shifted = days + 719_468
        let dayOfEra = floorModulo(shifted, 146_097)
        let era = (shifted - dayOfEra) / 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func floorModulo(_ value: Int64, _ modulus: Int64) -> Int64 {
        let rest = value % modulus
        return rest < 0 ? rest + modulus : rest
    }

    /// A few decimal digits and nothing else.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        digits.reduce(0) { sum, byte in byte &- 0x30 <= 9 ? sum.map { $0 * 10 + Int64(byte - 0x30) } : nil }
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
