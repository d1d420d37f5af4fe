/** Pages whose modules are loaded when they are opened first, so that others need not wait for them. */

/** Return a page: `load` imports its module, where it has the name `name`. It returns a promise until that is loaded. */
export function lazyPage(load, name) {
  let page = null;
  return (app, params) => {
    if (page) return page(app, params);
    return load().then((module) => {
      page = module[name];
      return page(app, params);
    });
  };
}
