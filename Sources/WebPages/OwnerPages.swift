import Mustache
package import Operations
import Releases

/// The owner's pages as HTML.
package struct OwnerPages: Sendable {
    private let library: MustacheLibrary

    /// Reads the templates inside the binary; they are part of the program, so a broken one ends it.
    package init() {
        library = Templates.library("owner/")
    }

    /// Who reads, and what proves that forms are theirs.
    package struct Reader: Sendable {
        package var words: Words
        package var csrf: String

        package init(words: Words, csrf: String) {
            self.words = words
            self.csrf = csrf
        }
    }

    /// What a plain page says: names the pair of texts.
    package enum Message: String, Sendable {
        case notFound, signedOut, refused, expired, trouble
    }

    /// What a device's page says once after a form: the key of the text.
    package enum Notice: String, Sendable, CaseIterable {
        case saved, stopped, updateGone, stopTooLate, settingTooLong

        var isProblem: Bool { self != .saved && self != .stopped }
    }

    /// Why a sign-in did not work.
    package enum SignInError: String, Sendable {
        case wrong = "signInWrong"
        case tooOften = "signInTooOften"
        case expired = "signInExpired"
    }

    package func signIn(_ reader: Reader, uid: String, next: String, error: SignInError?) -> String {
        let words = reader.words
        // A pause lasts as long as tries are remembered.
        let pause = words.duration(15 * 60)
        let view = SignInView(uid: uid, next: next, error: error.map { words($0.rawValue, ["duration": pause]) })
        return render("sign-in", reader, title: words("signIn"), view)
    }

    package func setup(_ reader: Reader) -> String {
        render("setup", reader, title: reader.words("signIn"), ())
    }

    package func account(_ reader: Reader, uid: String) -> String {
        render("account", reader, title: reader.words("yourAccount"), AccountView(account: uid))
    }

    package func message(_ reader: Reader, _ message: Message) -> String {
        let words = reader.words
        let (icon, url, label) =
            switch message {
            case .notFound: ("search", "/my", "toMyDevices")
            case .signedOut: ("check", "/my/sign-in", "toSignIn")
            case .refused: ("person", "/my/account", "yourAccount")
            case .expired: ("clock", "/my", "toMyDevices")
            case .trouble: ("alert", "/my", "toMyDevices")
            }
        let headline = words(message.rawValue + "Title")
        let view = MessageView(
            icon: icon, headline: headline, sentence: words(message.rawValue),
            link: .init(url: url, label: words(label)))
        return render("message", reader, title: headline, view)
    }

    package func devices(_ reader: Reader, _ snapshot: OwnerSnapshot) -> String {
        let words = reader.words
        let times = Times(words, zone: snapshot.timeZone, now: snapshot.now)
        var rows: [String: [DeviceRow]] = [:]
        for device in snapshot.devices {
            let group =
                switch device.standing {
                case .offered: "ready"
                case .updating: "updating"
                default: "rest"
                }
            let writer = DeviceWriter(device: device, words: words, times: times, now: snapshot.now)
            rows[group, default: []].append(writer.row)
        }
        let titles = [
            ("ready", "groupReady"), ("updating", "groupUpdating"),
            ("rest", rows.count > 1 ? "groupRest" : "groupOnly"),
        ]
        let view = DevicesView(
            hasDevices: !snapshot.devices.isEmpty, noDevicesHelp: words("noDevicesHelp", ["account": snapshot.uid]),
            groups: titles.compactMap { key, title in
                rows[key].map { .init(key: key, title: words(title), devices: $0) }
            })
        return render("devices", reader, title: words("myDevices"), lastEventID: snapshot.lastEventID, view)
    }

    /// The page of the only device in `snapshot`.
    package func device(_ reader: Reader, _ snapshot: OwnerSnapshot, notice: Notice?) -> String {
        guard let device = snapshot.devices.first else { return message(reader, .notFound) }
        let words = reader.words
        let writer = DeviceWriter(
            device: device, words: words, times: Times(words, zone: snapshot.timeZone, now: snapshot.now),
            now: snapshot.now)
        let view = writer.page(
            notice: notice.map { .init(text: words($0.rawValue, ["n": "64"]), isProblem: $0.isProblem) })
        return render("device", reader, title: writer.title(view), lastEventID: snapshot.lastEventID, view)
    }

    /// What makes the page installable (W3C Web Application Manifest).
    package static let manifest = """
        {"name":"My devices","short_name":"Devices","id":"/my","start_url":"/my","scope":"/","display":"standalone",\
        "background_color":"#f6f6f3","theme_color":"#f6f6f3","icons":[{"src":"\(Assets.url("favicon.svg"))",\
        "sizes":"any","type":"image/svg+xml","purpose":"any"}]}
        """

    private func render(
        _ template: String, _ reader: Reader, title: String, lastEventID: Int64? = nil, _ view: Any
    ) -> String {
        let shell = OwnerShell(
            lang: reader.words.language, title: title, t: reader.words.strings, csrf: reader.csrf,
            lastEventId: lastEventID.map(String.init))
        return library.render(Layered(outer: shell, inner: view), withTemplate: template) ?? ""
    }
}
