// HLS that the browser plays by itself: iPhones without ManagedMediaSource, and by wish.

/** Plays HLS on `video`; tells `on(type, details)`: bytes, refused, broken, dry. */
export class HlsEngine {
  constructor(video, on) {
    this.video = video;
    this.on = on;
    this.open = false;
    this.url = null;
    video.addEventListener('error', () => this.open && this.failed());
    video.addEventListener('progress', () => this.open && this.on('bytes', {}));
    video.addEventListener('timeupdate', () => this.open && this.on('bytes', {}));
    video.addEventListener('waiting', () => this.open && this.on('dry'));
  }

  get ready() {
    return true;
  }

  async prepare() {}

  /** Begins `url`, instead of what is played. */
  start(url) {
    this.open = true;
    this.url = url;
    this.video.src = url;
  }

  /** The element does not say what the box answered: it is asked once more. */
  async failed() {
    const { url } = this;
    let refusal = { status: 0, code: null, error: null };
    try {
      const reply = await fetch(url, { cache: 'no-store' });
      const told = reply.ok ? {} : await reply.json().catch(() => ({}));
      refusal = { status: reply.status, code: told.code ?? null, error: told.error ?? null };
    } catch {
      // no answer: status 0
    }
    if (!this.open || this.url !== url) return;
    if (refusal.status === 200) this.on('broken', {});
    else this.on('refused', refusal);
  }

  /** Lets the stream go: the box ends the lease when nothing is asked for any more. */
  stop() {
    if (!this.open) return;
    this.open = false;
    this.video.removeAttribute('src');
    this.video.load();
  }
}
