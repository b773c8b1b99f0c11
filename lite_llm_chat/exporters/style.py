"""How a conversation looks: on a phone, on a desk, at night and on paper.

No font and no picture is loaded, and no element carries a style of its own, so that a policy can
name this text by its hash.
"""

from __future__ import annotations

STYLE = """
:root{--ink:#1c1b19;--soft:#6b6860;--line:#e4e1d9;--paper:#fbfaf7;--own:#efece4;--code:#f3f1eb;
--link:#0b5cad;--warn:#a2480b;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--ink:#e9e6df;--soft:#9d998f;--line:#36342f;
--paper:#1a1917;--own:#2a2823;--code:#232120;--link:#84b8ec;--warn:#e8a06a}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.65 system-ui,-apple-system,
"Segoe UI",Roboto,"Noto Sans",sans-serif;overflow-wrap:break-word}
main{max-width:46rem;margin:0 auto;padding:clamp(1.5rem,5vw,4rem) clamp(1rem,4vw,2rem) 3rem}
header{padding-bottom:1.5rem;margin-bottom:2rem;border-bottom:1px solid var(--line)}
h1{font-size:clamp(1.6rem,5vw,2.3rem);line-height:1.2;letter-spacing:-.02em;margin:0 0 .6rem;
text-wrap:balance}
.about,footer,.which,.cut,small,time{color:var(--soft);font-size:.875rem}
.about{margin:0;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem}
article{margin:0 0 2.25rem}
article>h2{font-size:.875rem;font-weight:650;margin:0 0 .5rem;display:flex;flex-wrap:wrap;
gap:0 .75rem;align-items:baseline}
article>h2 time{font-weight:400}
.user,.system{background:var(--own);border-radius:1rem;padding:1rem 1.25rem}
.user{margin-left:clamp(0rem,8vw,5rem);border-bottom-right-radius:.3rem}
.system{border-left:.25rem solid var(--soft)}
.back{border-top:2px dashed var(--line);padding-top:1.5rem}
.which{margin:0 0 .25rem}
.cut{color:var(--warn);margin:.5rem 0 0}
.said>:first-child{margin-top:0}
.said>:last-child{margin-bottom:0}
.said h1,.said h2,.said h3,.said h4,.said h5,.said h6{line-height:1.3;margin:1.6em 0 .5em;
letter-spacing:-.01em}
.said h1{font-size:1.4rem}.said h2{font-size:1.25rem}.said h3{font-size:1.1rem}
.said h4,.said h5,.said h6{font-size:1rem}
p,ul,ol,pre,blockquote,.wide{margin:0 0 1em}
ul,ol{padding-left:1.5em}
li>p{margin-bottom:.4em}
.plain{white-space:pre-wrap}
a{color:var(--link);text-underline-offset:.15em}
code,pre,.tool .plain{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",
monospace;font-size:.875em}
code{background:var(--code);border-radius:.3rem;padding:.1em .35em}
pre{background:var(--code);border:1px solid var(--line);border-radius:.6rem;padding:.9rem 1.1rem;
overflow-x:auto;line-height:1.5}
pre code{background:none;padding:0;font-size:1em}
blockquote{border-left:.2rem solid var(--line);padding-left:1rem;color:var(--soft);margin-inline:0}
hr{border:0;border-top:1px solid var(--line);margin:2em 0}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.95em}
th,td{border-bottom:1px solid var(--line);padding:.4rem .9rem .4rem 0;text-align:left;
vertical-align:top}
th{border-bottom-width:2px}
.center{text-align:center}.right{text-align:right}
details{border-left:.2rem solid var(--line);padding-left:1rem;margin:0 0 1rem;color:var(--soft);
font-size:.9375rem}
summary{cursor:pointer;font-size:.875rem;width:fit-content}
details>div{margin-top:.5rem}
.files{list-style:none;padding:0;margin:.75rem 0 0;display:flex;flex-wrap:wrap;gap:.5rem}
.files li{border:1px solid var(--line);border-radius:.6rem;padding:.35rem .75rem;font-size:.9rem}
.files .image{border:0;padding:0}
.files img{display:block;max-width:100%;max-height:28rem;border-radius:.6rem}
footer{border-top:1px solid var(--line);padding-top:1.25rem;margin-top:3rem}
.nothing{min-height:70vh;display:flex;flex-direction:column;justify-content:center}
@media print{
:root{--ink:#000;--soft:#555;--line:#ccc;--paper:#fff;--own:#f4f4f4;--code:#f7f7f7;--link:#000;
color-scheme:light}
@page{margin:18mm 16mm}
body{font-size:10.5pt;line-height:1.5}
main{max-width:none;padding:0}
.user{margin-left:0;print-color-adjust:exact;-webkit-print-color-adjust:exact}
h1,h2,h3,h4,summary{break-after:avoid}
pre,blockquote,tr,img,.files li{break-inside:avoid}
pre{white-space:pre-wrap;overflow:visible}
.wide{overflow:visible}
p,li{orphans:3;widows:3}
details::details-content{content-visibility:visible;display:block}
.said a[href]::after{content:" (" attr(href) ")";font-size:.85em;color:var(--soft)}
}
"""
