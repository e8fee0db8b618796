// The pages there are, and what lives as long as the app. A page's module exports `show(root, app, params)`, which puts
// it into `root` and returns `{leave()}`, both of which may be promises.

/**
 * By the first word of the address. `label`: what the navigation calls it, if it is there; `owner`: only owners see it.
 */
export const PAGES = {
  // -- channels
  channels: { label: 'channels.title', load: () => import('./channels-page.js') },

  // -- player
  play: { load: () => import('./player.js') },

  // -- guide
  guide: { label: 'guide.title', load: () => import('./guide.js') },

  // -- settings
  settings: { label: 'settings.title', load: () => import('./settings.js') },

  // -- status
  status: { label: 'status.title', owner: true, load: () => import('./status.js') },

  // -- pair
  pair: { load: () => import('./pair.js') },
  handover: { load: () => import('./handover.js') },
};

/** Puts into `app` what pages share. Runs once, when the box knows this browser. */
export async function equip(app) {
  // -- channels
  const [{ createChannels }, { installKeys }] = await Promise.all([import('./channels.js'), import('./pad.js')]);
  app.channels = createChannels(app);
  installKeys(app);

  // -- events
  const { createEvents } = await import('./events.js');
  app.events = createEvents(app);
  app.channels.follow(app.events);
  app.events.on('open', (box) => app.renew(box.app));

  // -- player
  const { createPlayer } = await import('./player.js');
  app.player = createPlayer(app);

  return app;
}
