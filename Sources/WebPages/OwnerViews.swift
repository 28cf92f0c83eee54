//  What the owner's templates are given. A template decides nothing: every sentence is ready, every choice a section.

/// On every page of the owner.
struct OwnerShell {
    struct AssetURLs {
        let css = Assets.url("apus.css")
        let js = Assets.url("owner.js")
        let icon = Assets.url("favicon.svg")
        let manifest = "/manifest.webmanifest"
    }

    let lang: String
    let title: String
    let t: [String: String]
    let asset = AssetURLs()
    let csrf: String
    var lastEventId: String?
}

struct SignInView {
    var uid: String
    var next: String
    var error: String?
}

struct AccountView {
    var account: String
}

struct MessageView {
    struct Link {
        var url: String
        var label: String
    }

    var icon: String
    var headline: String
    var sentence: String
    var link: Link
}

/// A row of the list.
struct DeviceRow {
    struct Chip {
        var word: String
        var tone: String
        var icon: String
    }

    struct Progress {
        var version: String
        var text: String
        var phase: String
        var percent: String
        var percentText: String?
    }

    var key: String
    var path: String
    var name: String
    var art: String
    var isOff: Bool
    var chip: Chip?
    var meta: String?
    var progress: Progress?
}

struct DevicesView {
    struct Group {
        var key: String
        var title: String
        var devices: [DeviceRow]
    }

    var hasDevices: Bool
    var noDevicesHelp: String
    var groups: [Group]
}

/// One device; exactly one of the six sections is set.
struct DeviceView {
    struct Notice {
        var text: String
        var isProblem: Bool
    }

    struct Offline {
        var heading: String
        var since: String?
        var then: String?
    }

    struct Support {
        var text: String
        var date: String
    }

    struct Fact {
        var value: String
        var label: String
    }

    struct Offer {
        var version: String
        var notesHtml: String?
        var hasFacts: Bool
        var facts: [Fact]
        var assurance: String
        var postponed: String?
    }

    struct ProgressStep {
        var key: String
        var number: String
        var name: String
        var when: String?
        var state: String
        var isDone: Bool
        var isNow: Bool
    }

    struct Progress {
        var version: String
        var attempt: String
        var phase: String
        var percent: String
        var word: String?
        var bytes: String?
        var canStop: Bool
        var arcDownload: String
        var arcCheck: String
        var arcRestart: String
        var arcConfirm: String
        var steps: [ProgressStep]
    }

    struct Done {
        var version: String
        var notesHtml: String?
    }

    struct FinishedStep {
        var key: String
        var name: String
        var when: String?
    }

    struct Failed {
        var version: String
        var steps: [FinishedStep]
        var lastStep: String
        var lastWhen: String?
        var reason: String
        var supportCode: String
    }

    struct Current {
        var version: String
        var newTitle: String
        var notesHtml: String?
    }

    struct Choice {
        var value: String
        var label: String
        var isSelected: Bool
    }

    struct Setting {
        var key: String
        var id: String
        var label: String
        var hint: String?
        var isChoice: Bool
        var choices: [Choice]
        var value: String?
        var saveLabel: String
        var waiting: String?
    }

    var notice: Notice?
    var thing: String
    var path: String
    var name: String
    var givenName: String
    var usualName: String
    var art: String
    var isOff: Bool
    var state: String
    var headline: String
    var lede: String
    var offline: Offline?
    var supportUntil: Support?
    var hasSettings: Bool
    var settings: [Setting]
    var offer: Offer?
    var progress: Progress?
    var done: Done?
    var failed: Failed?
    var current: Current?
    var unknown: Bool?
}
