import Foundation

/// The words of one language, with what is made of them: durations, sizes, dates.
package struct Words: Sendable {
    /// Language tag for `<html lang>`.
    package let language: String
    /// Every text by its key.
    package let strings: [String: String]

    /// Languages that there are; the first is taken where nothing fits.
    package static let all = [Words("en"), Words("de")]

    /// The words of a language whose file is in the binary.
    package init(_ language: String) {
        self.language = language
        let file = Assets.files["strings/\(language).json"] ?? []
        strings = (try? JSONDecoder().decode([String: String].self, from: Data(file))) ?? [:]
    }

    /// The language that `Accept-Language` (RFC 9110, 12.5.4) prefers among those there are.
    package static func preferred(_ header: String?) -> Words {
        let wishes = (header ?? "").split(separator: ",").prefix(20).compactMap { part -> (tag: String, q: Double)? in
            let pieces = part.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
            guard let tag = pieces.first?.lowercased() else { return nil }
            let q = pieces.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            return (tag, q)
        }
        func quality(_ words: Words) -> Double {
            wishes.filter { $0.tag == words.language || $0.tag.hasPrefix(words.language + "-") }.map(\.q).max() ?? 0
        }
        let best = all.max { quality($0) < quality($1) } ?? all[0]
        return quality(best) > quality(all[0]) ? best : all[0]
    }

    /// The text of `key` with its placeholders filled.
    func callAsFunction(_ key: String, _ values: KeyValuePairs<String, String> = [:]) -> String {
        var text = strings[key] ?? key
        for (name, value) in values {
            text = text.replacing("{\(name)}", with: value)
        }
        return text
    }

    // MARK: Numbers

    func duration(_ seconds: Int) -> String {
        switch seconds {
        case ..<90: self("durationSeconds", ["n": "\(max(seconds, 1))"])
        case ..<3600: self("durationMinutes", ["n": "\((seconds + 30) / 60)"])
        case ..<172_800: self("durationHours", ["n": "\((seconds + 1800) / 3600)"])
        default: self("durationDays", ["n": "\(seconds / 86400)"])
        }
    }

    func size(_ bytes: Int) -> String {
        switch bytes {
        case ..<1_000_000: self("sizeKilobytes", ["n": "\(max(1, (bytes + 500) / 1000))"])
        case ..<1_000_000_000: self("sizeMegabytes", ["n": tenths(Double(bytes) / 1e6)])
        default: self("sizeGigabytes", ["n": tenths(Double(bytes) / 1e9)])
        }
    }

    /// A number with one decimal.
    func tenths(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10)\(self("decimalMark"))\(tenths % 10)"
    }

    /// "June 2031" of `2031-06`.
    func month(_ text: String) -> String {
        let parts = text.split(separator: "-").compactMap { Int($0) }
        guard parts.count == 2 else { return text }
        return self("monthYear", ["month": self("month\(parts[1])"), "year": "\(parts[0])"])
    }
}

/// Words about times, as somebody in one time zone reads them.
struct Times {
    let words: Words
    private let calendar: Calendar
    private let now: Date

    init(_ words: Words, zone: String?, now: Int64) {
        self.words = words
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone.flatMap(TimeZone.init(identifier:)) ?? .current
        self.calendar = calendar
        self.now = Self.date(now)
    }

    private static func date(_ milliseconds: Int64) -> Date {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000)
    }

    /// "18:20".
    func clock(_ time: Int64) -> String {
        let parts = calendar.dateComponents([.hour, .minute], from: Self.date(time))
        let (hour, minute) = (parts.hour ?? 0, parts.minute ?? 0)
        return "\(hour < 10 ? "0" : "")\(hour):\(minute < 10 ? "0" : "")\(minute)"
    }

    /// "25 November", with the year where it is another one.
    func day(_ time: Int64) -> String {
        let parts = calendar.dateComponents([.year, .month, .day], from: Self.date(time))
        let isThisYear = parts.year == calendar.component(.year, from: now)
        return words(
            isThisYear ? "date" : "dateYear",
            ["day": "\(parts.day ?? 0)", "month": words("month\(parts.month ?? 1)"), "year": "\(parts.year ?? 0)"])
    }

    /// "25 min ago", "today at 18:20".
    func when(_ time: Int64) -> String {
        let minutes = minutesAgo(time)
        if minutes < 1 { return words("whenNow") }
        if minutes < 60 { return words("whenMinutes", ["n": "\(minutes)"]) }
        if isToday(time) { return words("whenToday", ["time": clock(time)]) }
        if isYesterday(time) { return words("whenYesterday", ["time": clock(time)]) }
        return words("whenDate", ["date": day(time), "time": clock(time)])
    }

    /// "For 25 min", "Since yesterday".
    func since(_ time: Int64) -> String {
        let minutes = minutesAgo(time)
        if minutes < 60 { return words("sinceMinutes", ["n": "\(max(minutes, 1))"]) }
        if isToday(time) { return words("sinceToday", ["time": clock(time)]) }
        if isYesterday(time) { return words("sinceYesterday") }
        return words("sinceDate", ["date": day(time)])
    }

    /// Whether a month, `2031-06`, is over.
    func isOver(month: String) -> Bool {
        let parts = calendar.dateComponents([.year, .month], from: now)
        let (year, number) = (parts.year ?? 0, parts.month ?? 1)
        return month < "\(year)-\(number < 10 ? "0" : "")\(number)"
    }

    private func minutesAgo(_ time: Int64) -> Int {
        Int(now.timeIntervalSince(Self.date(time)) / 60)
    }

    private func isToday(_ time: Int64) -> Bool {
        calendar.isDate(Self.date(time), inSameDayAs: now)
    }

    private func isYesterday(_ time: Int64) -> Bool {
        calendar.date(byAdding: .day, value: -1, to: now).map { calendar.isDate(Self.date(time), inSameDayAs: $0) }
            ?? false
    }
}
