"""How the page at `/asyncapi` looks, by day and by night, on a screen and on a telephone."""

STYLE = """
:root { --ink: #1d2330; --soft: #5b6475; --line: #e1e5ec; --paper: #ffffff; --shade: #f5f7fa; --mark: #b3261e;
  color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa4b5; --line: #2c3340; --paper: #12151b;
  --shade: #1a1f28; --mark: #ff8a80; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
body { margin: 0; display: grid; grid-template-columns: 15rem minmax(0, 1fr);
  color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.5rem 1rem; background: var(--shade);
  border-right: 1px solid var(--line); font-size: .9rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav li a { display: block; padding: .18rem .5rem; border-radius: .35rem; color: var(--ink); text-decoration: none; }
nav li a:hover, nav li a:focus { background: var(--line); }
.home { font-weight: 700; font-size: 1.1rem; padding: 0 .5rem; color: var(--mark); text-decoration: none; }
.group { margin: 1.2rem 0 .3rem; padding: 0 .5rem; color: var(--soft); font-size: .75rem; font-weight: 600;
  letter-spacing: .05em; text-transform: uppercase; }
main { width: 100%; max-width: 72rem; padding: 2rem 2.5rem 6rem; }
main a { color: inherit; text-decoration-color: var(--mark); text-underline-offset: .15em; }
h1 { margin: 0 0 1rem; font-size: 1.9rem; line-height: 1.2; }
h2 { margin: 0 0 .5rem; font-size: 1.35rem; }
h2 a { color: inherit; text-decoration: none; }
h2 a:hover { text-decoration: underline; }
h3 { margin: 1.4rem 0 .4rem; font-size: .95rem; color: var(--soft); font-family: ui-monospace, monospace; }
h4 { margin: .8rem 0 .3rem; font-size: .8rem; color: var(--soft); }
.lead { max-width: 48rem; font-size: 1.05rem; }
section { margin-top: 2.5rem; padding-top: 1.8rem; border-top: 1px solid var(--line); }
section > p { max-width: 48rem; }
.badge { margin-left: .7rem; padding: .1rem .55rem; border-radius: 1rem; background: var(--mark); color: var(--paper);
  font-size: .72rem; font-weight: 600; vertical-align: middle; }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; }
.facts dt { color: var(--soft); font-size: .75rem; }
.facts dd { margin: 0; font-weight: 500; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; }
th { text-align: left; color: var(--soft); font-size: .75rem; font-weight: 600; }
th, td { padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:first-child, td:nth-child(3) { white-space: nowrap; }
td:nth-child(2) { min-width: 8rem; max-width: 18rem; }
td:nth-child(3), small { color: var(--soft); }
td:last-child { min-width: 14rem; }
code, pre { font: .86em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code { padding: .05rem .3rem; border-radius: .25rem; background: var(--shade); overflow-wrap: anywhere; }
td:first-child code { padding: 0; background: none; overflow-wrap: normal; }
pre { margin: 0; padding: .9rem 1.1rem; border-radius: .5rem; background: var(--shade); overflow-x: auto; }
details { margin-top: .7rem; }
summary { cursor: pointer; color: var(--soft); font-size: .88rem; }
summary::before { content: "Example "; }
@media (max-width: 52rem) {
  body { display: block; }
  nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); padding: 1rem; }
  nav ul { display: flex; flex-wrap: wrap; }
  main { padding: 1.5rem 1rem 4rem; }
  thead { display: none; }
  tr { display: grid; grid-template-columns: minmax(0, 1fr) auto; padding: .5rem 0;
    border-bottom: 1px solid var(--line); }
  th, td { padding: .1rem 0; border: 0; }
  td:nth-child(2), td:last-child { grid-column: 1 / -1; max-width: none; }
  td:nth-child(3) { grid-area: 1 / 2; }
  td:first-child { white-space: normal; font-weight: 600; }
}
@media print { nav { display: none; } body { display: block; } section { break-inside: avoid-page; } }
"""
