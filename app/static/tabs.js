// Two views, one at a time (ARIA's tabs); the address remembers which.

/** Let tabs switch their panels; calls back with the id of the one that is shown. */
export function startTabs(tablist, onShow) {
  const tabs = [...tablist.querySelectorAll("[role=tab]")];
  const panelOf = (tab) => tab.getAttribute("aria-controls");

  function select(tab) {
    for (const other of tabs) {
      const selected = other === tab;
      other.setAttribute("aria-selected", String(selected));
      other.tabIndex = selected ? 0 : -1;
      document.getElementById(panelOf(other)).hidden = !selected;
    }
    onShow(panelOf(tab));
  }

  const selectByAddress = () =>
    select(tabs.find((tab) => `#${panelOf(tab)}` === location.hash) ?? tabs[0]);

  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => {
      history.replaceState(null, "", `#${panelOf(tab)}`);
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
  addEventListener("hashchange", selectByAddress);
  selectByAddress();
}
