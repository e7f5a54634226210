// A page that prints itself once, and again on request.
document.getElementById("print").addEventListener("click", () => window.print());
window.print();
