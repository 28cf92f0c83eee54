import Foundation
import Operations
import Releases

//  What the pages of the console have in common. A template decides nothing: words, tones and addresses are ready.

/// On every page of the console.
struct ConsoleShell {
    struct AssetURLs {
        let css = Assets.url("apus.css")
        let js = Assets.url("console.js")
        let icon = Assets.url("favicon.svg")
    }

    struct Me {
        var name: String
        var initials: String
        var role: String
        var isAdmin: Bool
    }

    /// Which item of the menu is current, and the numbers beside them.
    struct Nav {
        var isOverview = false
        var isDevices = false
        var isReleases = false
        var isProducts = false
        var isAccess = false
        var deviceCount: String?
        var releaseCount: String?
        var productCount: String?
    }

    struct Crumbs {
        struct Parent {
            var label: String
            var url: String
        }

        var parent: Parent?
        var here: String
    }

    let lang = "en"
    let title: String
    let asset = AssetURLs()
    let csrf: String
    let now: When
    /// Where changes of this page are told; nil for a page that does not change.
    var listenUrl: String?
    var me: Me?
    var nav = Nav()
    var crumbs: Crumbs
    /// What the search box shows.
    var searchText: String?
    /// Whether the reader may change devices, products and releases.
    let canOperate = true
}

/// A point of time: for the script in ISO 8601, for readers without it in words (UTC).
///
/// The script puts clock times into the reader's zone and lets ages, texts that end in " ago", grow.
struct When {
    var iso: String?
    var text: String

    static let never = When(iso: nil, text: "never")

    /// "14:29" today, "24 Nov" this year, "2 Sep 2025" before.
    static func at(_ time: Int64, now: Int64) -> When {
        let (moment, today) = (Moment(time), Moment(now))
        if moment.day == today.day { return When(iso: moment.iso, text: String(moment.clock.prefix(5))) }
        return When(iso: moment.iso, text: moment.year == today.year ? moment.dayMonth : moment.date)
    }

    /// "12 s ago", "25 min ago", "2 d 4 h ago".
    static func ago(_ time: Int64?, now: Int64) -> When {
        guard let time else { return never }
        let seconds = max(1, (now - time) / 1000)
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600, seconds / 60)
        let text =
            days > 0
            ? "\(days) d" + (hours % 24 > 0 ? " \(hours % 24) h" : "")
            : hours > 0 ? "\(hours) h" : minutes > 0 ? "\(minutes) min" : "\(seconds) s"
        return When(iso: Moment(time).iso, text: text + " ago")
    }

    /// "14:31:07", or "14:31:07.518" with milliseconds.
    static func clock(_ time: Int64, withMilliseconds: Bool = false) -> When {
        let moment = Moment(time)
        return When(iso: moment.iso, text: String(moment.clock.prefix(withMilliseconds ? 12 : 8)))
    }

    /// "2 Sep 2026".
    static func day(_ time: Int64) -> When {
        When(iso: Moment(time).iso, text: Moment(time).date)
    }
}

/// A point of time in UTC, taken apart.
struct Moment {
    static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    let iso: String
    /// `14:31:07.518`.
    let clock: String
    /// Days since 1970.
    let day: Int64
    let year: Int
    let dayMonth: String
    var date: String { "\(dayMonth) \(year)" }

    init(_ milliseconds: Int64) {
        let time = Date(timeIntervalSince1970: Double(milliseconds) / 1000)
        let text = time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        iso = text
        clock = String(text.dropFirst(11).prefix(12))
        day = milliseconds / 86_400_000
        let parts = text.prefix(10).split(separator: "-").compactMap { Int($0) }
        year = parts.count == 3 ? parts[0] : 1970
        dayMonth = parts.count == 3 ? "\(parts[2]) \(Self.months[max(0, min(11, parts[1] - 1))])" : ""
    }
}

/// A state in a word, with a sign.
struct Chip {
    var word: String
    var icon: String
    /// "", `good`, `good bare`, `busy`, `warn`, `bad` or `bare`.
    var tone = ""
    var spin = false
}

extension Chip {
    static func of(_ phase: UpdatePhase) -> Chip {
        switch phase {
        case .queued: Chip(word: "Queued", icon: "clock")
        case .downloading: running("Downloading")
        case .verifying: running("Verifying")
        case .installing: running("Installing")
        case .restarting: running("Restarting")
        case .confirming: running("Confirming")
        case .succeeded: Chip(word: "Succeeded", icon: "check", tone: "good bare")
        case .failed: Chip(word: "Failed", icon: "alert", tone: "bad")
        case .rolledBack: Chip(word: "Went back", icon: "undo", tone: "warn")
        case .cancelled: Chip(word: "Cancelled", icon: "slash")
        case .timedOut: Chip(word: "Timed out", icon: "clock", tone: "bad")
        }
    }

    private static func running(_ word: String) -> Chip { Chip(word: word, icon: "arc", tone: "busy", spin: true) }

    static func of(_ device: DeviceSummary) -> Chip {
        switch device.state {
        case .updating, .attention:
            device.update.flatMap { UpdatePhase(rawValue: $0.state) }.map(of) ?? running("Updating")
        case .behind where device.offer?.answer != nil: Chip(word: "Postponed", icon: "moon")
        case .behind where device.offer != nil: Chip(word: "Offered", icon: "new", tone: "busy")
        case .current: Chip(word: "Up to date", icon: "check", tone: "good bare")
        case .behind: Chip(word: "Behind", icon: "clock")
        case .unseen: Chip(word: "Not seen yet", icon: "clock")
        case .unassigned: Chip(word: "No release", icon: "slash")
        case .revoked: Chip(word: "Revoked", icon: "slash", tone: "warn")
        }
    }

    static func of(_ state: ReleaseState) -> Chip {
        switch state {
        case .draft: Chip(word: "Draft", icon: "draft")
        case .active: Chip(word: "Active", icon: "check", tone: "good bare")
        case .withdrawn: Chip(word: "Withdrawn", icon: "slash", tone: "warn")
        }
    }
}

/// A choice of a select.
struct Choice {
    var value: String
    var label: String
    var isSelected: Bool

    init(_ value: String, _ label: String, isSelected: Bool = false) {
        self.value = value
        self.label = label
        self.isSelected = isSelected
    }
}

/// Numbers in words.
enum Figures {
    /// "40,128".
    static func count(_ number: Int) -> String {
        let digits = String(number)
        return String(
            digits.reversed().enumerated().flatMap { index, digit in
                index > 0 && index % 3 == 0 && digit != "-" ? [",", digit] : [digit]
            }.reversed())
    }

    /// "1 device", "40,128 devices".
    static func count(_ number: Int, _ noun: String) -> String {
        "\(count(number)) \(noun)\(number == 1 ? "" : "s")"
    }

    /// "22.8": a part in percent, one decimal.
    static func percent(_ part: Int, of whole: Int) -> String {
        tenths(whole == 0 ? 0 : Double(part) * 100 / Double(whole))
    }

    static func tenths(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// "812 kB", "1.1 MB", "200 GB".
    static func size(_ bytes: Int64) -> String {
        switch bytes {
        case ..<1000: "\(bytes) B"
        case ..<1_000_000: "\((bytes + 500) / 1000) kB"
        case ..<1_000_000_000: "\(tenths(Double(bytes) / 1e6)) MB"
        default: "\(tenths(Double(bytes) / 1e9)) GB"
        }
    }

    /// "3.1 s", "2 min", "4 h", "41 days".
    static func duration(_ milliseconds: Int64) -> String {
        let seconds = milliseconds / 1000
        switch seconds {
        case ..<10: return "\(tenths(Double(milliseconds) / 1000)) s"
        case ..<90: return "\(seconds) s"
        case ..<5400: return "\((seconds + 30) / 60) min"
        case ..<172_800: return "\((seconds + 1800) / 3600) h"
        default: return "\(seconds / 86_400) days"
        }
    }

    /// "June 2031" of `2031-06`.
    static func month(_ text: String) -> String {
        let names = [
            "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
            "November",
            "December",
        ]
        let parts = text.split(separator: "-").compactMap { Int($0) }
        guard parts.count == 2, (1...12).contains(parts[1]) else { return text }
        return "\(names[parts[1] - 1]) \(parts[0])"
    }
}

/// Addresses of the console and of the API.
enum Place {
    /// A path segment or query value, percent-encoded.
    static func part(_ text: String) -> String {
        let allowed = CharacterSet(charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
        return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
    }

    static func device(_ thing: String) -> String { "/console/devices/\(part(thing))" }
    static func release(_ product: String, _ version: String) -> String {
        "/console/releases/\(part(product))/\(part(version))"
    }
    static func product(_ slug: String) -> String { "/console/products/\(part(slug))" }
    static func releases(_ product: String) -> String { "/console/releases?product=\(part(product))" }

    /// The list of devices with these filters; those without a value are left out.
    static func devices(_ filters: KeyValuePairs<String, String?>) -> String {
        let query = filters.compactMap { name, value in value.map { "\(name)=\(part($0))" } }.joined(separator: "&")
        return query.isEmpty ? "/console/devices" : "/console/devices?\(query)"
    }
}
