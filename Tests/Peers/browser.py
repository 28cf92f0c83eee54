"""A real browser, driven by plain WebDriver calls (W3C), with axe-core."""

import base64
import pathlib
import socket
import subprocess
import sys

import requests

from apus_server import wait_until

DRIVER = "/usr/bin/chromedriver"
SHELL = "/usr/bin/chromium-headless-shell"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
TAB, ENTER = "\ue004", "\ue007"


class Browser:
    """One headless Chromium; closes with its process."""

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [DRIVER, f"--port={port}", "--silent"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.driver = f"http://127.0.0.1:{port}"
        wait_until(self._answers, 30, "chromedriver")
        flags = ["--headless", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=390,844"]
        wanted = {
            "browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": SHELL, "args": flags},
        }
        body = {"capabilities": {"alwaysMatch": wanted}}
        answer = requests.post(self.driver + "/session", json=body, timeout=60).json()["value"]
        self.session = f"{self.driver}/session/{answer['sessionId']}"

    def _answers(self):
        try:
            return requests.get(self.driver + "/status", timeout=5).ok
        except requests.ConnectionError:
            return False

    def call(self, path, body=None):
        value = requests.post(self.session + path, json=body or {}, timeout=60).json()["value"]
        assert not (isinstance(value, dict) and "error" in value), value
        return value

    def cdp(self, command, **parameters):
        return self.call("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def close(self):
        # Deleting the session alone leaves the headless shell running.
        for step in (lambda: self.cdp("Browser.close"), lambda: requests.delete(self.session, timeout=10)):
            try:
                step()
            except (requests.RequestException, AssertionError):
                pass
        self.process.terminate()
        self.process.wait(timeout=10)

    # Tabs

    def window(self):
        return requests.get(self.session + "/window", timeout=30).json()["value"]

    def open_tab(self):
        return self.call("/window/new", {"type": "tab"})["handle"]

    def switch(self, window):
        self.call("/window", {"handle": window})

    def close_tab(self):
        requests.delete(self.session + "/window", timeout=30).raise_for_status()

    # Looking

    def look(self, width=390, dark=False, language="en-US"):
        """Chooses width, colours and language; motion is reduced, so that nothing is caught half way."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=False)
        features = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": k, "value": v} for k, v in features.items()])
        agent = self.js("return navigator.userAgent")
        self.cdp("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=language)

    def go_cold(self, url):
        """Opens a page as somebody who was never here."""
        self.cdp("Network.clearBrowserCache")
        self.go(url)

    def go(self, url):
        self.call("/url", {"url": url})

    def js(self, code, *arguments):
        return self.call("/execute/sync", {"script": code, "args": list(arguments)})

    def text(self, css):
        """The text of the first match; empty where there is none."""
        return self.js("return document.querySelector(arguments[0])?.innerText ?? ''", css)

    def wait_text(self, css, part, seconds=30):
        return wait_until(lambda: part in self.text(css), seconds, f"\"{part}\" in {css} (has \"{self.text(css)}\")")

    def wait_state(self, state, seconds=40):
        read = "return document.querySelector('#state')?.dataset.key"
        return wait_until(lambda: self.js(read) == state, seconds, f"the page in state {state}")

    def click(self, css):
        # Out from under the buttons that stay at the bottom.
        self.js("document.querySelector(arguments[0])?.scrollIntoView({block: 'center'})", css)
        element = self.call("/element", {"using": "css selector", "value": css})
        self.call(f"/element/{next(iter(element.values()))}/click")

    def fill(self, css, text):
        element = next(iter(self.call("/element", {"using": "css selector", "value": css}).values()))
        self.call(f"/element/{element}/value", {"text": text})

    def press(self, *keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def log(self):
        """What the page wrote to the console, violations of its policy included."""
        return [entry["message"] for entry in self.call("/se/log", {"type": "browser"})]

    def violations(self):
        """What axe-core has against the page, by WCAG 2.1 A and AA."""
        script = next(pathlib.Path(sys.prefix).rglob("axe.min.js")).read_text()
        self.js(script + ";0")
        run = """const done = arguments[arguments.length - 1];
            axe.run({runOnly: arguments[0]}).then(result => done(result.violations.map(
                v => v.id + ": " + v.nodes.map(n => n.html).join(" "))))"""
        return self.call("/execute/async", {"script": run, "args": [RULES]})

    def too_wide(self):
        return self.js("return document.documentElement.scrollWidth - innerWidth")

    def weight(self):
        """Bytes over the wire of the page and all it fetched."""
        return self.js("""return performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))
            .filter(entry => !entry.name.includes('/app/listen')).reduce((sum, entry) => sum + entry.transferSize, 0)""")

    def first_paint(self):
        """Milliseconds from the request to the first painted text."""
        return self.js("return performance.getEntriesByName('first-contentful-paint')[0]?.startTime")

    def shot(self, path):
        """A picture of what the screen shows."""
        pathlib.Path(path).write_bytes(base64.b64decode(self.cdp("Page.captureScreenshot", format="png")["data"]))
