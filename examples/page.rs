//! The two handlers that every tutorial has: one fetches rows from a database, one renders a page over them.
//!
//! `cargo run --example page --features example-page -- 127.0.0.1:8080`
//!
//! The lesson: a query blocks, so it runs on a thread of the [`Pool`], and only its rows come back to the loop. The template
//! belongs to the loop's core and needs no lock. When the pool's queue is full, clients get 503 and when to come again.

use std::error::Error;
use std::rc::Rc;

use edgeloop::server::pool::{Pool, PoolLimits};
use edgeloop::web::{self, Respond, Routes};
use edgeloop::{Reply, Request, ResponseWriter, Server, Signals};
use minijinja::{Environment, context};
use rusqlite::Connection;
use serde::Serialize;

const TEMPLATE: &str = include_str!("page.html");
/// Every thread opens it by this name; it is in memory, and gone when the last one closes it.
const DATABASE: &str = "file:items?mode=memory&cache=shared";

#[derive(Serialize)]
struct Item {
    id: i64,
    name: String,
    price: i64,
}

type Rows = Result<Vec<Item>, rusqlite::Error>;

thread_local! {
    /// One connection for each thread of the pool.
    static CONNECTION: Result<Connection, rusqlite::Error> = open();
}

fn open() -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open(DATABASE)?;
    connection.busy_timeout(std::time::Duration::from_secs(1))?;
    Ok(connection)
}

/// Makes and fills the database. As long as this connection is open it stays.
fn fill() -> Result<Connection, rusqlite::Error> {
    let connection = open()?;
    connection.execute_batch(
        "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL);
         INSERT INTO items (name, price) VALUES ('tea', 250), ('<b>cake</b>', 400), ('scone', 320);",
    )?;
    Ok(connection)
}

/// Blocks: for the pool's threads.
fn items(at_most: i64) -> Rows {
    CONNECTION.with(|connection| {
        let connection = connection
            .as_ref()
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.to_string().into()))?;
        let mut query = connection
            .prepare("SELECT id, name, price FROM items WHERE price <= ?1 ORDER BY price")?;
        let rows = query.query_map([at_most], |row| {
            Ok(Item {
                id: row.get(0)?,
                name: row.get(1)?,
                price: row.get(2)?,
            })
        })?;
        rows.collect()
    })
}

/// Asks the pool, and goes on with the rows on the loop.
fn with_items(
    pool: &Pool,
    req: &Request<'_>,
    res: ResponseWriter<'_>,
    show: impl FnOnce(&[Item], ResponseWriter<'_>) -> Reply + 'static,
) -> Reply {
    let at_most = match web::query(req).parse_if_any("at-most") {
        Ok(price) => price.unwrap_or(i64::MAX),
        Err(refusal) => return refusal.answer(res),
    };
    pool.run(
        res,
        move || items(at_most),
        move |rows: Rows, res| match rows {
            Ok(items) => show(&items, res),
            Err(error) => {
                eprintln!("the database: {error}");
                res.status(500).text("the items can't be had\n")
            }
        },
    )
}

fn app(pool: &Pool) -> Result<web::Router, Box<dyn Error>> {
    let mut templates = Environment::new();
    templates.add_template("items.html", TEMPLATE)?;
    let templates = Rc::new(templates);
    let (for_page, for_rows) = (pool.clone(), pool.clone());
    let page = move |req: &Request<'_>, res: ResponseWriter<'_>| {
        let templates = Rc::clone(&templates);
        with_items(&for_page, req, res, move |items, res| {
            let page = templates.get_template("items.html");
            match page.and_then(|page| page.render(context!(items))) {
                Ok(page) => res.status(200).html(page),
                Err(error) => {
                    eprintln!("the template: {error}");
                    res.status(500).text("the page can't be had\n")
                }
            }
        })
    };
    let rows = move |req: &Request<'_>, res: ResponseWriter<'_>| {
        with_items(&for_rows, req, res, |items, res| {
            res.status(200).json(items)
        })
    };
    let routes = Routes::new().get("/{$}", page).get("/items", rows);
    Ok(routes.build()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let signals = Signals::block()?;
    let _database = fill()?;
    let pool = Pool::new(PoolLimits::default());
    app(&pool)?;
    let serving = Server::bind(&address)?
        .drain_on(signals)
        .serve(|_core| app(&pool).expect("it was built before"))?;
    println!("listening on {}", serving.addresses()[0]);
    serving.run()?;
    Ok(())
}
