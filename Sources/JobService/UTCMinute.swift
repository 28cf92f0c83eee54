/// A minute of the calendar as a schedule writes it: `YYYY-MM-DD HH:MM` in UTC (15.5).
package struct UTCMinute: Equatable, Sendable {
    /// Seconds since 1970.
    package let seconds: UInt64
    /// As it was written.
    package let text: String

    /// Nil for anything else, and for years before 1970.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 16 else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            bytes[range].reduce(0) { sum, byte in
                byte &- 0x30 <= 9 ? sum.map { $0 * 10 + Int(byte - 0x30) } : nil
            }
        }
        guard [4: "-", 7: "-", 10: " ", 13: ":"].allSatisfy({ bytes[$0.key] == $0.value.utf8.first }),
            let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), year >= 1970, (1...12).contains(month), hour < 24, minute < 60,
            (1...Self.days(of: month, year)).contains(day)
        else { return nil }
        let days = Self.daysBefore(year) + (1..<month).reduce(0) { $0 + Self.days(of: $1, year) } + day - 1
        seconds = UInt64((days * 24 + hour) * 60 + minute) * 60
        self.text = text
    }

    private static func isLeap(_ year: Int) -> Bool {
        year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
    }

    private static func days(of month: Int, _ year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days from 1970 to the first of January of a year.
    private static func daysBefore(_ year: Int) -> Int {
        let past = year - 1
        let leaps = past / 4 - past / 100 + past / 400
        return (year - 1970) * 365 + leaps - 477
    }
}
