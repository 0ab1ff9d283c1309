//! All of it, behind each proxy.

macro_rules! behind {
    ($name:ident, $proxy:expr) => {
        mod $name {
            use crate::proxies::front;
            use crate::proxies::{events, methods, pages};
            use crate::support::daemon::can_run;

            #[tokio::test(flavor = "multi_thread")]
            async fn a_person_comes_in() {
                if can_run(stringify!($name)) {
                    pages::a_person_comes_in(&$proxy).await;
                }
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_visitor_is_who_the_proxy_says() {
                if can_run(stringify!($name)) {
                    pages::a_visitor_is_who_the_proxy_says(&$proxy).await;
                }
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn nothing_is_held_back() {
                if can_run(stringify!($name)) {
                    events::nothing_is_held_back(&$proxy).await;
                }
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn head_and_options_are_answered() {
                if can_run(stringify!($name)) {
                    methods::head_and_options_are_answered(&$proxy).await;
                }
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn names_and_bodies_arrive_whole() {
                if can_run(stringify!($name)) {
                    methods::names_and_bodies_arrive_whole(&$proxy).await;
                }
            }
        }
    };
}

behind!(nginx, front::NGINX);
behind!(apache, front::APACHE);
behind!(haproxy, front::HAPROXY);
behind!(caddy, front::CADDY);
