"""Browser profiles, lent to one test after the other.

A new profile costs a new renderer, and to warm that up takes a core longer than most tests do. A lent one keeps an
empty page of the same site open, and its renderer with it. What a page remembers belongs to its origin, address and
port, and no profile is lent to the same origin twice: nobody meets what somebody else left.
"""

from typing import Any

from attrs import define, field

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--process-per-site",
]  # fmt: skip
SITE = "http://127.0.0.1/"


@define(eq=False)
class Profile:
    context: Any
    warm: Any
    """The page that holds the renderer."""
    origins: set[str] = field(factory=set)


@define(eq=False)
class Profiles:
    """`options`: what each context is made with."""

    browser: Any
    options: dict[str, Any]
    _free: list[Profile] = field(factory=list)

    def lend(self, url: str) -> Profile:
        origin = url.split("/")[2]
        profile = next((each for each in self._free if origin not in each.origins), None) or self._make()
        if profile in self._free:
            self._free.remove(profile)
        profile.origins.add(origin)
        return profile

    def _make(self) -> Profile:
        context = self.browser.new_context(**self.options)
        warm = context.new_page()
        warm.route("**", lambda route: route.fulfill(body="", content_type="text/html"))
        warm.goto(SITE)
        return Profile(context, warm)

    def take_back(self, profile: Profile) -> None:
        """Its pages are closed. No script may have been added to the context: that would stay."""
        for page in profile.context.pages:
            if page is not profile.warm:
                page.close()
        profile.context.clear_cookies()
        profile.context.clear_permissions()
        self._free.append(profile)
