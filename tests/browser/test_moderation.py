"""Reports, the pages of moderators, decisions and appeals in the browser."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import Page, expect

from tests.browser.contrast import poor_contrasts
from tests.browser.visitor import PHONE, WITHIN, Promote, Site, published
from tests.support.api_user import PASSWORD, ApiUser
from tests.support.cases import case_about, comment_on, decide, report
from tests.support.eventually import eventually
from tests.support.pictures import photograph


async def _published(author: ApiUser) -> dict[str, Any]:
    photo = await author.upload(photograph(), "At the lake")
    await published(author, photo["id"])
    return photo


async def _report(page: Page, entry: str, category: str) -> None:
    """Choose "Report" in the open menu, and report for a reason."""
    await page.get_by_role("menuitem", name=entry).click()
    dialog = page.get_by_role("dialog", name=re.compile("^Report"))
    await dialog.get_by_role("button", name="Send report").click()
    await expect(dialog.get_by_text("Choose what is wrong.")).to_be_visible(timeout=WITHIN)
    await dialog.get_by_label(category).check()
    await dialog.get_by_label("Details").fill("Look at the left side.")
    await dialog.get_by_role("button", name="Send report").click()
    thanks = page.get_by_role("dialog", name="Thank you")
    await expect(thanks).to_be_visible(timeout=WITHIN)
    await thanks.get_by_role("button", name="Done").click()
    await expect(thanks).to_have_count(0)


async def test_photos_comments_and_accounts_are_reported(site: Site, promote: Promote) -> None:
    """From the menu of each, on a phone as well; a repeated report is thanked for, too. Their authors cannot."""
    author = await site.create_account()
    judge = await promote(await site.create_account())
    photo = await _published(author)
    comment_id = await comment_on(author, photo["id"])
    visitor = await site.signed_in(viewport=PHONE)
    page = visitor.page
    await visitor.open(f"/p/{photo['id']}")
    for _ in range(2):
        await page.get_by_role("button", name="Photo options").click()
        await _report(page, "Report photo", "Nudity")
    await page.get_by_role("button", name="Comment options").click()
    await _report(page, "Report comment", "Spam or advertising")
    await visitor.open(f"/u/{author.name}")
    await page.get_by_role("button", name="Profile options").click()
    assert await poor_contrasts(visitor) == []
    await _report(page, "Report account", "Harassment")
    for subject in (photo["id"], comment_id, author.id):
        file = (await judge.call("GET", f"/moderation/cases/{await case_about(judge, subject)}")).expect(200)
        assert [(one["reporter"]["id"], one["text"]) for one in file["report_list"]] == [
            (visitor.account.id, "Look at the left side.")
        ]
    own = await site.signed_in(author, at=None)
    await own.open(f"/p/{photo['id']}")
    await own.page.get_by_role("button", name="Photo options").click()
    await expect(own.page.get_by_role("menuitem", name="Delete photo")).to_be_visible(timeout=WITHIN)
    await expect(own.page.get_by_role("menuitem", name="Report photo")).to_have_count(0)


async def test_a_case_of_an_automatic_rule(site: Site, promote: Promote) -> None:
    """The queue and the case say that it was found automatically, and there is no empty list of reports."""
    author, spammer = await site.create_account(), await site.create_account()
    photo = await _published(author)
    await comment_on(spammer, photo["id"], " ".join(f"https://spam.example/{number}" for number in range(5)))
    judge = await promote(await site.create_account())

    async def is_found() -> bool:
        cases = (await judge.call("GET", "/moderation/cases?kind=comment&limit=100")).expect(200)["items"]
        return any(case["account"]["username"] == spammer.name for case in cases)

    await eventually(is_found)
    visitor = await site.signed_in(judge)
    page = visitor.page
    await visitor.open("/moderation")
    row = page.get_by_role("link", name=re.compile(f"@{spammer.name}"))
    await expect(row.get_by_text("Found automatically")).to_be_visible(timeout=WITHIN)
    await row.click()
    await expect(page.locator(".case-facts")).to_contain_text("Found automatically", timeout=WITHIN)
    await expect(page.get_by_role("heading", name="Reports")).to_have_count(0)
    await expect(page.get_by_text("Found automatically: link_spam")).to_be_visible()


async def test_a_moderator_decides_by_keyboard(site: Site, promote: Promote) -> None:
    """The photo is blurred until it is wanted, keys are listed by "?", and the decision is in the history."""
    author, reporter = await site.create_account(), await site.create_account()
    photo = await _published(author)
    await report(reporter, "photo", photo["id"], "child_safety", "Please look")
    judge = await site.signed_in(await promote(await site.create_account()))
    page = judge.page
    await judge.open("/moderation")
    link = page.get_by_role("link", name=re.compile(f"@{author.name}"))
    await judge.sees(link)
    await page.keyboard.press("j")
    await expect(page.locator(".cases a").first).to_be_focused()
    await link.click()
    await judge.sees(page.get_by_text("Please look"))
    figure = page.locator(".case-photo")
    await expect(figure).to_have_attribute("data-revealed", "false")
    assert await poor_contrasts(judge) == []
    await page.get_by_role("heading", level=1).click()
    await page.keyboard.press("Space")
    await expect(figure).to_have_attribute("data-revealed", "true")
    await page.keyboard.press("?")
    shortcuts = page.get_by_role("dialog", name="Keyboard shortcuts")
    await judge.sees(shortcuts.get_by_text("Escalate"))
    await page.keyboard.press("Escape")
    await page.keyboard.press("a")
    await judge.sees(page.get_by_text(f"Assigned to @{judge.account.name}"))
    await page.keyboard.press("3")
    dialog = page.get_by_role("dialog", name="Hide")
    await dialog.get_by_role("button", name="Hide").click()
    await judge.sees(dialog.get_by_text("Say why."))
    await dialog.get_by_label("Reason").fill("It shows a stranger.")
    await dialog.get_by_role("button", name="Hide").click()
    await judge.sees(page.get_by_text("It shows a stranger."))
    await judge.sees(page.get_by_text("Decided: Hide"))
    assert (await author.call("GET", f"/photos/{photo['id']}")).expect(200)["state"] == "hidden"
    await page.keyboard.press("u")
    await page.keyboard.press("4")
    await judge.sees(page.get_by_role("link", name=re.compile(f"@{author.name}")))


async def test_an_appeal_is_made_and_answered(site: Site, promote: Promote) -> None:
    """The author of a removed comment reads why, appeals, and another moderator brings the comment back."""
    owner, author = await site.create_account(), await site.create_account()
    first, second = [await promote(await site.create_account()) for _ in range(2)]
    photo = await _published(owner)
    comment_id = await comment_on(author, photo["id"], "What a view")
    await report(owner, "comment", comment_id)
    case_id = await case_about(first, comment_id)
    visitor = await site.signed_in(author)
    await decide(first, case_id, "remove", "Advertising.")
    page = visitor.page
    await visitor.visit("Notifications")
    await page.locator("a.notification", has_text="Your comment was removed").click()
    await visitor.sees(page.get_by_role("heading", name="Your comment was removed"))
    assert await poor_contrasts(visitor) == []
    await page.get_by_role("button", name="Appeal").click()
    await page.get_by_label("Why is it wrong?").fill("It is about the photo.")
    await page.get_by_role("button", name="Send appeal").click()
    await visitor.sees(page.get_by_text("You have appealed."))
    judge = await site.signed_in(second, at=None)
    await judge.open("/moderation")
    await judge.page.get_by_role("tab", name="Appeals").click()
    await judge.page.get_by_role("link", name=re.compile(f"@{author.name}")).click()
    await judge.page.get_by_role("button", name="Answer the appeal").click()
    dialog = judge.page.get_by_role("dialog", name="Answer the appeal")
    await dialog.get_by_label("Outcome").select_option("reverted")
    await dialog.get_by_label("Answer").fill("You are right.")
    await dialog.get_by_role("button", name="Answer").click()
    await judge.sees(judge.page.get_by_text("Appeal answered: reverted"))
    comments = (await owner.call("GET", f"/photos/{photo['id']}/comments")).expect(200)["items"]
    assert [comment["text"] for comment in comments] == ["What a view"]


async def test_a_suspended_user_can_appeal(site: Site, promote: Promote) -> None:
    """The page of a suspended account closes at once; signing in shows the decision, an appeal and the export."""
    author, reporter = await site.create_account(), await site.create_account()
    judge = await promote(await site.create_account())
    await report(reporter, "user", author.id)
    visitor = await site.signed_in(author)
    visitor.expect_error("401|403")
    await decide(judge, await case_about(judge, author.id), "suspend", "Advertising.")
    page = visitor.page
    await visitor.sees(page.get_by_role("button", name="Sign in"))
    await page.get_by_label("User name or e-mail").fill(author.name)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await visitor.sees(page.get_by_role("heading", name="Your account is suspended"))
    await visitor.sees(page.get_by_text("Advertising."))
    await page.get_by_role("button", name="Appeal").click()
    await page.get_by_label("Why is it wrong?").fill("It was not me.")
    await page.get_by_role("button", name="Send appeal").click()
    await visitor.sees(page.get_by_text("You have appealed."))
    await page.get_by_role("button", name="Export your data").click()
    await visitor.sees(page.get_by_text("Your export is being made."))


async def test_pages_without_cases(site: Site) -> None:
    """A user without decisions sees that there are none, and no queue."""
    visitor = await site.signed_in(at=None)
    await visitor.open("/decisions")
    await visitor.sees(visitor.page.get_by_role("heading", name="No decisions"))
    await visitor.open("/moderation")
    await visitor.sees(visitor.page.get_by_role("heading", name="For moderators"))


async def test_the_reports_of_a_user(site: Site, promote: Promote) -> None:
    """What a user has reported is in the settings, with the outcome; a notification leads there."""
    author = await site.create_account()
    judge = await promote(await site.create_account())
    photo = await _published(author)
    visitor = await site.signed_in(viewport=PHONE)
    await report(visitor.account, "photo", photo["id"], "spam", "Buy a lake.")
    await report(visitor.account, "user", author.id, "hate")
    await decide(judge, await case_about(judge, photo["id"]), "hide")
    page = visitor.page
    await visitor.open("/settings/reports")
    rows = page.locator("li.decision")
    await expect(rows).to_have_count(2, timeout=WITHIN)
    await expect(rows.nth(0)).to_contain_text("You reported an account")
    await expect(rows.nth(0)).to_contain_text("A moderator has not decided yet.")
    await expect(rows.nth(1)).to_contain_text("Buy a lake.")
    await expect(rows.nth(1)).to_contain_text("The moderators agreed with you and acted.")
    await rows.nth(0).get_by_role("link", name="Open the profile").click()
    await visitor.sees(page.get_by_role("heading", name=author.name))
    await visitor.visit("Notifications")
    await page.locator(".notifications li a").click()
    await page.wait_for_url("**/settings/reports", timeout=WITHIN)


async def test_reports_that_are_not_there(site: Site) -> None:
    """Without reports the page says where to report; one that could not be loaded is tried again."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 5|ERR_INTERNET_DISCONNECTED")
    page = visitor.page
    await visitor.open("/settings/reports")
    await visitor.sees(page.get_by_role("heading", name="No reports"))
    address = re.compile("/users/me/reports")
    problem = {"status": 500, "code": "internal", "detail": "Something broke."}
    await page.route(address, lambda route: route.fulfill(status=500, json=problem))
    await visitor.open("/settings/reports")
    await visitor.sees(page.get_by_role("heading", name="Could not load your reports"))
    await page.unroute(address)
    await page.get_by_role("button", name="Try again").click()
    await visitor.sees(page.get_by_role("heading", name="No reports"))
    await page.route(address, lambda route: route.abort("internetdisconnected"))
    await visitor.go("/settings/decisions")
    await visitor.go("/settings/reports")
    await visitor.sees(page.get_by_role("heading", name="Not available offline"))
