"use strict";
const rows = [...document.querySelectorAll(".edges tbody tr")];
const texts = rows.map((row) => row.textContent.toLowerCase());
document.getElementById("filter").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  rows.forEach((row, i) => { row.hidden = !words.every((word) => texts[i].includes(word)); });
});
