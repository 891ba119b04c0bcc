// ARIA tabs. The fragment of the URL holds the id of the visible panel.

/** Make the tabs switch their panels; `onShow` gets the id of the visible panel. */
export function initTabs(tablist, onShow) {
  const tabs = [...tablist.querySelectorAll("[role=tab]")];
  const panelId = (tab) => tab.getAttribute("aria-controls");

  function select(tab) {
    for (const other of tabs) {
      const selected = other === tab;
      other.setAttribute("aria-selected", String(selected));
      other.tabIndex = selected ? 0 : -1;
      document.getElementById(panelId(other)).hidden = !selected;
    }
    onShow(panelId(tab));
  }

  const selectFromUrl = () =>
    select(tabs.find((tab) => `#${panelId(tab)}` === location.hash) ?? tabs[0]);

  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => {
      history.replaceState(null, "", `#${panelId(tab)}`);
      select(tab);
    });
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(index + step + tabs.length) % tabs.length];
      next.focus();
      next.click();
    });
  });
  addEventListener("hashchange", selectFromUrl);
  selectFromUrl();
}
