import Mustache

/// Reads the templates inside the binary; they are part of the program, so a broken one ends it.
enum Templates {
    /// The templates of one folder, each under its file's name; partials are found there too.
    static func library(_ folder: String) -> MustacheLibrary {
        var templates: [String: MustacheTemplate] = [:]
        for (name, bytes) in Assets.files where name.hasPrefix(folder) {
            let short = name.dropFirst(folder.count).prefix { $0 != "." }
            do {
                templates[String(short)] = try MustacheTemplate(string: String(decoding: bytes, as: UTF8.self))
            } catch {
                preconditionFailure("the template \(name) cannot be read: \(error)")
            }
        }
        return MustacheLibrary(templates: templates)
    }
}

/// Two models as one: what the inner one does not have, the outer one answers.
struct Layered: MustacheParent {
    let outer: Any
    let inner: Any

    func child(named: String) -> Any? {
        Self.member(named, of: inner) ?? Self.member(named, of: outer)
    }

    private static func member(_ name: String, of value: Any) -> Any? {
        guard let child = Mirror(reflecting: value).children.first(where: { $0.label == name })?.value else {
            return nil
        }
        let mirror = Mirror(reflecting: child)
        guard mirror.displayStyle == .optional else { return child }
        return mirror.children.first?.value
    }
}
