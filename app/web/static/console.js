// The console works without this script; with it, figures stay current and the keyboard gets further.
import { keys } from "./keys.js";
import { live } from "./live.js";
import { refresh, tick } from "./times.js";
import { chart } from "./chart.js";
import { forms } from "./forms.js";

refresh(document);
tick();
keys();
forms();
const draw = chart(document.querySelector("[data-chart]"));
if (document.body.hasAttribute("data-live")) live((id) => id === "rates" && draw());
draw();
