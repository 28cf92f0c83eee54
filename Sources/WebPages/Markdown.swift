//  Release notes as safe HTML.
//
//  cmark reads CommonMark; this writes only what a note needs. HTML in the source is dropped, pictures become their text, and
//  only http and https addresses become links.

import CMark

/// Renders notes that somebody else wrote.
package enum Markdown {
    /// Longest text that is rendered, bytes.
    static let maximumBytes = 64 << 10

    /// Safe HTML of a CommonMark text; empty where there is nothing to show.
    package static func html(_ text: String) -> String {
        let source = Array(text.utf8.prefix(maximumBytes))
        let root = source.withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                cmark_parse_document($0.baseAddress, $0.count, CMARK_OPT_VALIDATE_UTF8)
            }
        }
        guard let root, let walk = cmark_iter_new(root) else { return "" }
        defer {
            cmark_iter_free(walk)
            cmark_node_free(root)
        }
        var html = ""
        while true {
            let event = cmark_iter_next(walk)
            guard event != CMARK_EVENT_DONE, let node = cmark_iter_get_node(walk) else { return html }
            html += piece(node, event == CMARK_EVENT_ENTER)
        }
    }

    private static func piece(_ node: OpaquePointer, _ isOpening: Bool) -> String {
        switch cmark_node_get_type(node) {
        case CMARK_NODE_PARAGRAPH:
            return isInTightList(node) ? "" : tag("p", isOpening)
        case CMARK_NODE_HEADING:
            // The page has h1 and h2.
            return tag("h\(min(6, cmark_node_get_heading_level(node) + 2))", isOpening)
        case CMARK_NODE_LIST:
            return tag(cmark_node_get_list_type(node) == CMARK_ORDERED_LIST ? "ol" : "ul", isOpening)
        case CMARK_NODE_ITEM: return tag("li", isOpening)
        case CMARK_NODE_BLOCK_QUOTE: return tag("blockquote", isOpening)
        case CMARK_NODE_EMPH: return tag("em", isOpening)
        case CMARK_NODE_STRONG: return tag("strong", isOpening)
        case CMARK_NODE_CODE: return "<code>\(escaped(cmark_node_get_literal(node)))</code>"
        case CMARK_NODE_CODE_BLOCK: return "<pre><code>\(escaped(cmark_node_get_literal(node)))</code></pre>"
        case CMARK_NODE_TEXT: return escaped(cmark_node_get_literal(node))
        case CMARK_NODE_SOFTBREAK: return " "
        case CMARK_NODE_LINEBREAK: return "<br>"
        case CMARK_NODE_THEMATIC_BREAK: return "<hr>"
        case CMARK_NODE_LINK: return link(node, isOpening)
        default: return ""
        }
    }

    private static func tag(_ name: String, _ isOpening: Bool) -> String {
        isOpening ? "<\(name)>" : "</\(name)>"
    }

    private static func link(_ node: OpaquePointer, _ isOpening: Bool) -> String {
        let address = cmark_node_get_url(node).map { String(cString: $0) } ?? ""
        let isWeb = ["http://", "https://"].contains { address.lowercased().hasPrefix($0) }
        guard isWeb else { return "" }
        return isOpening
            ? "<a href=\"\(escaped(address))\" rel=\"noopener noreferrer nofollow\" target=\"_blank\">" : "</a>"
    }

    private static func isInTightList(_ node: OpaquePointer) -> Bool {
        guard let item = cmark_node_parent(node), let list = cmark_node_parent(item),
            cmark_node_get_type(list) == CMARK_NODE_LIST
        else { return false }
        return cmark_node_get_list_tight(list) != 0
    }

    private static func escaped(_ text: UnsafePointer<CChar>?) -> String {
        text.map { escaped(String(cString: $0)) } ?? ""
    }

    private static func escaped(_ text: String) -> String {
        var out = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            case "'": out += "&#39;"
            default: out.unicodeScalars.append(character)
            }
        }
        return out
    }
}
