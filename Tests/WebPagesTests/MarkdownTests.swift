import Testing
import WebPages

private struct Case: Sendable {
    let source: String
    let html: String
}

private let cases = [
    Case(source: "Two *new* **colours**.", html: "<p>Two <em>new</em> <strong>colours</strong>.</p>"),
    Case(source: "- a\n- b", html: "<ul><li>a</li><li>b</li></ul>"),
    Case(source: "# Big", html: "<h3>Big</h3>"),
    Case(source: "`<b>`", html: "<p><code>&lt;b&gt;</code></p>"),
    Case(source: "<script>alert(1)</script>", html: ""),
    Case(source: "a <img src=x onerror=alert(1)> b", html: "<p>a  b</p>"),
    Case(source: "[x](javascript:alert(1))", html: "<p>x</p>"),
    Case(source: "[x](data:text/html,hi)", html: "<p>x</p>"),
    Case(source: "[x](/my/sign-out)", html: "<p>x</p>"),
    Case(
        source: "[x](https://example.net/?a=1&b=\"2)",
        html:
            "<p><a href=\"https://example.net/?a=1&amp;b=&quot;2\" rel=\"noopener noreferrer nofollow\" target=\"_blank\">x</a></p>"
    ),
    Case(source: "![picture](https://example.net/p.png)", html: "<p>picture</p>"),
    Case(source: "1 < 2 & 3 > 2 \"q\" 'a'", html: "<p>1 &lt; 2 &amp; 3 &gt; 2 &quot;q&quot; &#39;a&#39;</p>"),
    Case(source: "", html: ""),
]

@Test("notes become safe HTML", arguments: cases)
private func notes(_ row: Case) {
    #expect(Markdown.html(row.source) == row.html)
}

@Test("hostile nesting ends")
func deepNesting() {
    #expect(!Markdown.html(String(repeating: "> ", count: 40_000) + "x").isEmpty)
    #expect(!Markdown.html(String(repeating: "*a **b [", count: 10_000)).isEmpty)
}
