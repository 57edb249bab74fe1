"""What would somebody who looks at a page, or listens to it, object to?

Each function gives the objections, worded for whoever mends the page; none is good. The numbers are those of WCAG 2.2,
level AA: 1.4.3 (contrast of text), 1.4.10 (no scrolling sideways at 320 px), 1.4.11 (contrast of what is operated),
2.5.8 (size of targets), 4.1.2 (names).
"""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

_COLOURS: Final = """
    const parse = text => {
        const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number)
        return {r, g, b, a}
    }
    const luminance = ({r, g, b}) => [r, g, b]
        .map(value => value / 255)
        .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0)
    const contrast = (one, other) => {
        const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b)
        return (high + 0.05) / (low + 0.05)
    }
    const behind = element => {
        for (let at = element; at; at = at.parentElement) {
            const colour = parse(getComputedStyle(at).backgroundColor)
            if (colour.a === 1) return colour
            if (colour.a !== 0) throw new Error('a half-transparent background is not reckoned with')
        }
        return {r: 255, g: 255, b: 255, a: 1}
    }
"""

_TEXT: Final = f"""() => {{
    {_COLOURS}
    const objections = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) {{
        const text = walker.currentNode.data.trim(), element = walker.currentNode.parentElement
        if (!text) continue
        const style = getComputedStyle(element), size = parseFloat(style.fontSize)
        const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700)
        const ratio = contrast(parse(style.color), behind(element))
        if (ratio < (large ? 3 : 4.5)) objections.push(`text ${{ratio.toFixed(2)}}:1: ${{text}}`)
        if (size < 12) objections.push(`text of ${{size}} px: ${{text}}`)
    }}
    return objections
}}"""

_CONTROLS: Final = f"""() => {{
    {_COLOURS}
    const objections = []
    for (const element of document.querySelectorAll('input:not([type=hidden]):not([type=radio]), button, .choice')) {{
        const style = getComputedStyle(element), around = behind(element.parentElement)
        const edge = Math.max(contrast(parse(style.borderTopColor), around), contrast(behind(element), around))
        if (edge < 3) objections.push(`edge ${{edge.toFixed(2)}}:1: ${{element.outerHTML.slice(0, 60)}}`)
    }}
    for (const element of document.querySelectorAll('a, button, input:not([type=hidden])')) {{
        const target = element.closest('label') ?? element
        if (getComputedStyle(target).display === 'inline') continue  // a link in a sentence may be as high as its line
        const {{width, height}} = target.getBoundingClientRect()
        if (width < 24 || height < 24) objections.push(`target ${{width}} x ${{height}}: ${{target.innerText}}`)
    }}
    return objections
}}"""

_SIDEWAYS: Final = """() => [...document.querySelectorAll('body *')]
    .filter(element => element.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
    .map(element => `reaches too far right: ${element.outerHTML.slice(0, 60)}`)
    .concat(document.documentElement.scrollWidth > innerWidth ? ['scrolls sideways'] : [])
"""

_STRUCTURE: Final = """() => {
    const objections = [], all = selector => [...document.querySelectorAll(selector)]
    const levels = all('h1, h2, h3, h4').map(heading => Number(heading.tagName[1]))
    if (document.documentElement.lang !== 'en') objections.push('no language')
    if (!document.title.trim()) objections.push('no title')
    if (all('main').length !== 1) objections.push('not one main landmark')
    if (levels.filter(level => level === 1).length !== 1) objections.push('not one first heading')
    if (levels.some((level, index) => level > (levels[index - 1] ?? 0) + 1)) objections.push('headings skip a level')
    const outside = [...document.body.children].filter(element => !element.matches('header, main, footer'))
    if (outside.length) objections.push(`outside of every landmark: ${outside[0].outerHTML.slice(0, 60)}`)
    const ids = all('[id]').map(element => element.id)
    if (new Set(ids).size < ids.length) objections.push('an id twice')
    for (const element of all('[aria-describedby]'))
        for (const id of element.getAttribute('aria-describedby').split(' '))
            if (!document.getElementById(id)) objections.push(`describedby nothing: ${id}`)
    if (all('script').length) objections.push('a script')
    return objections
}"""

# Moves on by Tab until it comes round, and says of each stop what shows that it has the keyboard.
_FOCUS: Final = f"""() => {{
    {_COLOURS}
    const element = document.activeElement
    if (element === document.body) return null
    const shows = [element, element.closest('label')].some(shown => {{
        if (!shown) return false
        const style = getComputedStyle(shown), outside = behind(shown.parentElement)
        return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
            && contrast(parse(style.outlineColor), outside) >= 3
    }})
    return [element.outerHTML.slice(0, 60), shows]
}}"""


def objections(page: "Page") -> list[str]:
    """Everything about what is shown now, at this width and in these colours."""
    return [objection for check in (_TEXT, _CONTROLS, _SIDEWAYS, _STRUCTURE) for objection in page.evaluate(check)]


def unseen_focus(page: "Page") -> list[str]:
    """The stops of the keyboard that nobody sees; and that there are too few of them."""
    operated = page.locator("a:visible, button:visible, input:visible:not([type=radio]), fieldset:visible").count()
    stops: dict[str, bool] = {}
    # to the top of the page: the next Tab would go on from wherever the keyboard was last
    page.evaluate("document.body.tabIndex = -1, document.body.focus(), document.body.removeAttribute('tabindex')")
    for _ in range(operated + 1):
        page.keyboard.press("Tab")
        if (stop := page.evaluate(_FOCUS)) is None:
            break
        stops[stop[0]] = stop[1]
    missed = [] if len(stops) == operated else [f"{operated} to be operated, {len(stops)} reached: {list(stops)}"]
    return missed + [f"focus not seen: {stop}" for stop, seen in stops.items() if not seen]


def unnamed(page: "Page") -> list[str]:
    """What can be operated and has no name in the accessibility tree."""
    session: CDPSession = page.context.new_cdp_session(page)
    nodes: list[dict[str, Any]] = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    return [
        f"no name: {node['role']['value']}"
        for node in nodes
        if not node["ignored"] and _is_operated(node) and not node.get("name", {}).get("value", "").strip()
    ]


def _is_operated(node: dict[str, Any]) -> bool:
    focusable = any(fact["name"] == "focusable" and fact["value"]["value"] for fact in node.get("properties", ()))
    return focusable or node["role"]["value"] in {"group", "image"}
