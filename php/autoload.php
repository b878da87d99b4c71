<?php

/**
 * Loads the package where there is no Composer: `require '.../php/autoload.php';`
 *
 * The libraries it works with are taken from the distribution's packages (Debian: php-symfony-console, php-psr-log) where they are
 * in the include path and nothing has loaded them. A framework is the application's choice, and none is loaded here.
 */

declare(strict_types=1);

spl_autoload_register(static function (string $class): void {
    if (str_starts_with($class, 'Proletarier\\')) {
        $file = __DIR__ . '/' . strtr(substr($class, strlen('Proletarier\\')), '\\', '/') . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});

foreach (
    [
        'Symfony/Component/Console' => \Symfony\Component\Console\Application::class,
        'Psr/Log' => \Psr\Log\LoggerInterface::class,
        'Psr/Container' => \Psr\Container\ContainerInterface::class,
    ] as $package => $symbol
) {
    $file = stream_resolve_include_path($package . '/autoload.php');
    if ($file !== false && !class_exists($symbol) && !interface_exists($symbol)) {
        require_once $file;
    }
}
