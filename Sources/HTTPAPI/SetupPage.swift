import Hummingbird

/// The page behind a one-use link `/setup#k=…`: it redeems the link and says who is signed in.
///
/// The secret stands in the fragment, so that it appears in no log; a script has to send it.
enum SetupPage {
    static var page: Response {
        var response = HTTPService.text(
            """
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Apus: sign in</title>
            <h1>Apus</h1>
            <p id="state" role="status">Signing in…</p>
            <noscript>This page needs JavaScript to redeem the link.</noscript>
            <script src="/setup.js"></script>
            </html>

            """, contentType: "text/html; charset=utf-8")
        response.headers[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
        response.headers[.cacheControl] = "no-store"
        return response
    }

    static var script: Response {
        HTTPService.text(
            """
            const state = document.getElementById("state");
            const link = new URLSearchParams(location.hash.slice(1)).get("k");
            history.replaceState(null, "", location.pathname);
            async function redeem() {
              if (!link) {
                state.textContent = "This link is incomplete. Copy the whole line that the server printed.";
                return;
              }
              const answer = await fetch("/app/session", {
                method: "POST",
                headers: { "Content-Type": "application/json" },
                body: JSON.stringify({ link }),
              });
              const body = await answer.json();
              state.textContent = answer.ok
                ? `You are signed in as ${body.role}.`
                : `${body.detail}. ${body.advice ?? ""}`;
            }
            redeem();

            """, contentType: "text/javascript; charset=utf-8")
    }
}
