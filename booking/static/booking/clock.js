// The times that the admin's clock offers: in 24 hours, and those at which shows start.
document.addEventListener("DOMContentLoaded", () => {
  const hours = [11, 14, 17, 20, 23].map((hour) => [`${hour}:00`, hour]);
  if (window.DateTimeShortcuts) window.DateTimeShortcuts.clockHours.default_ = [["Now", -1], ...hours];
});
