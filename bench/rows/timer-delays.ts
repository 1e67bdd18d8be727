/** How late a timer of 1 ms comes, again and again, while the event loop has other work. */
export class TimerDelays {
  readonly #delaysMs: number[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.#next();
  }

  #next(): void {
    const due = performance.now() + 1;
    this.#timer = setTimeout(() => {
      this.#delaysMs.push(performance.now() - due);
      this.#next();
    }, 1);
  }

  /** Ends the timer; the 99th percentile of its delays, in milliseconds. What is due by now counts as well. */
  async end(): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, 2));
    clearTimeout(this.#timer);
    const sorted = this.#delaysMs.sort((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) * 0.99)];
  }
}
