// The player outside of its page: media keys and lock screen, and a screen that stays on.

export class Presence {
  constructor(player) {
    this.player = player;
    this.lock = null;
    const keys = {
      play: () => player.again(),
      pause: () => player.stop(),
      stop: () => player.stop(),
      previoustrack: () => player.zap(-1),
      nexttrack: () => player.zap(1),
    };
    for (const [key, fn] of Object.entries(keys)) {
      try {
        navigator.mediaSession?.setActionHandler(key, fn);
      } catch {
        // a key that this browser does not know
      }
    }
    player.on('state', () => this.update());
    player.on('channel', () => this.update());
    document.addEventListener('visibilitychange', () => this.awake());
  }

  update() {
    const { player } = this;
    const session = navigator.mediaSession;
    if (session) {
      session.playbackState = { idle: 'none', failed: 'none', external: 'none', blocked: 'paused' }[player.state] ?? 'playing';
      const { channel } = player;
      if (channel && session.metadata?.title !== channel.name && window.MediaMetadata) {
        session.metadata = new MediaMetadata({ title: channel.name, artist: channel.now?.title ?? '', album: String(channel.number) });
      }
    }
    this.awake();
  }

  /** While a picture is shown the screen stays on, where the browser lets a page say so. */
  async awake() {
    const { player } = this;
    const wanted = player.state === 'playing' && player.video.videoWidth > 0 && !document.hidden;
    if (wanted === Boolean(this.lock)) return;
    if (!wanted) {
      const lock = this.lock;
      this.lock = null;
      await lock?.release?.().catch(() => {});
      return;
    }
    this.lock = {}; // asked for
    const lock = await navigator.wakeLock?.request('screen').catch(() => null);
    if (!lock) return;
    if (this.lock) {
      this.lock = lock;
      lock.addEventListener('release', () => {
        if (this.lock === lock) this.lock = null;
      });
    } else {
      lock.release().catch(() => {});
    }
  }
}
