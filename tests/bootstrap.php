<?php

/**
 * Loads the package and what its tests work with: from Composer's vendor directory where there is one, else from the distribution's
 * packages (Debian: phpunit, php-symfony-console, php-psr-log, php-zend-eventmanager).
 *
 * Classes below Proletarier\Tests are in tests/. A framework is not loaded: tests that need one, or none, run in a process of their own.
 */

declare(strict_types=1);

$composer = dirname(__DIR__) . '/vendor/autoload.php';
require is_file($composer) ? $composer : dirname(__DIR__) . '/php/autoload.php';

spl_autoload_register(static function (string $class): void {
    if (str_starts_with($class, 'Proletarier\\Tests\\')) {
        $file = __DIR__ . '/' . strtr(substr($class, strlen('Proletarier\\Tests\\')), '\\', '/') . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});
